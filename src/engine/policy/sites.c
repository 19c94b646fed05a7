/* SPDX-License-Identifier: MIT */
#include "engine/policy/sites.h"

#include "base/lock.h"
#include "base/page.h"
#include "engine/store/extent.h"
#include "kernel/pagemap.h"

#include "base/poison.h"

#define SITES 512
#define SAMPLES 32

static struct lock sites_lock = LOCK_INITIALIZER(LOCK_STORES);
static struct record records[SITES];

unsigned site_of(const void *caller, size_t size)
{
    unsigned size_class = 63 - (unsigned)__builtin_clzl(size | 1);
    uint64_t hash = ((uint64_t)(uintptr_t)caller * 64 + size_class) * UINT64_C(0x9e3779b97f4a7c15);

    return 1 + (unsigned)(hash >> 40) % (SITES - 1);
}

struct record site_read(unsigned site)
{
    struct record record;

    lock_take(&sites_lock);
    record = records[site];
    lock_drop(&sites_lock);
    return record;
}

void site_learn(unsigned site, unsigned rewritten)
{
    lock_take(&sites_lock);
    policy_learn(&records[site], rewritten);
    lock_drop(&sites_lock);
}

void site_note(unsigned site, bool shared)
{
    lock_take(&sites_lock);
    policy_note(&records[site], shared);
    lock_drop(&sites_lock);
}

/* Single pages spread over the block: a few microseconds, whatever its size. False when the kernel did not tell. */
static bool sample(const struct block *block, unsigned *rewritten)
{
    size_t pages = block->size / page_size;
    size_t count = pages / 8 < SAMPLES ? pages / 8 + 1 : SAMPLES;
    unsigned asked = 0;
    unsigned written = 0;

    for (size_t i = 0; i < count; i++) {
        uintptr_t page = page_up(block_start(block)) + pages * (2 * i + 1) / (2 * count) * page_size;
        int is_private;

        if (!extent_any(block, page, page + page_size))
            continue;
        is_private = pagemap_any(PAGES_PRIVATE, page, page + page_size);
        if (is_private < 0)
            return false;
        asked++;
        written += is_private > 0;
    }
    if (asked > 0)
        *rewritten = written * SHARE_ONE / asked;
    return asked > 0;
}

void site_fate(struct block *block)
{
    unsigned rewritten;

    if (block->made_by != 0 && sample(block, &rewritten))
        site_learn(block->made_by, rewritten);
    block->made_by = 0;
}
