/* SPDX-License-Identifier: MIT */
#include "engine/report/savings.h"

#include <stdatomic.h>

#include "base/config.h"
#include "base/page.h"
#include "engine/block/block.h"
#include "engine/store/extent.h"
#include "engine/store/store.h"
#include "kernel/descriptor.h"
#include "kernel/pagemap.h"
#include "kernel/usage.h"

#include "base/poison.h"

#define SHARE_OF_TIME 16
#define GIFT UINT64_C(20000000) /* ns that may be spent at once */
#define RUNS 64

static bool wanted;
static uint64_t started;
static atomic_flag busy = ATOMIC_FLAG_INIT;
/* while busy: */
static uint64_t spent;
static struct savings peak;

void savings_start(void)
{
    const char *where = config_text(stats);

    wanted = where != NULL && *where != '\0';
    started = usage_now();
    spent = 0;
    peak = (struct savings){0, 0};
    atomic_flag_clear(&busy);
}

uint64_t savings_nanoseconds(void)
{
    return usage_now() - started;
}

/* Bytes of the view that are not private. False: the kernel did not tell. */
static bool count_shown(const struct extent *view, uint64_t *shown)
{
    uintptr_t at = extent_start(view);
    uintptr_t end = extent_end(view);

    *shown += end - at;
    while (at < end) {
        struct page_run runs[RUNS];
        int count = pagemap_runs(PAGES_PRIVATE, at, end, runs, RUNS, &at);

        if (count < 0)
            return false;
        for (int i = 0; i < count; i++)
            *shown -= runs[i].end - runs[i].start;
    }
    return true;
}

static bool count_all_shown(uint64_t *shown)
{
    struct block *block;
    uintptr_t at = 0;
    bool known = true;

    *shown = 0;
    while (known && (block = block_find_from(at)) != NULL) {
        at = block_end(block) > at ? block_end(block) : at + page_size;
        lock_take(&block->lock);
        for (struct extent *view = extent_from(block, 0); known && view != NULL; view = extent_after(view))
            known = count_shown(view, shown);
        lock_drop(&block->lock);
        block_release(block);
    }
    return known;
}

static void measure(void)
{
    uint64_t shown, stored;
    struct savings now;
    size_t stores;

    if (!descriptor_in_own_process() || !count_all_shown(&shown))
        return;
    store_totals(&stores, &stored);
    now.saved = shown > stored ? shown - stored : 0;
    now.memory = usage_anonymous() + stored;
    if (now.saved > 0 && now.memory + now.saved > peak.memory + peak.saved)
        peak = now;
}

static bool affordable(void)
{
    return spent <= GIFT + savings_nanoseconds() / SHARE_OF_TIME;
}

void savings_event(void)
{
    uint64_t before;

    if (!wanted || extent_count() == 0 || atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
        return;
    if (affordable()) {
        before = usage_now();
        measure();
        spent += usage_now() - before;
    }
    atomic_flag_clear_explicit(&busy, memory_order_release);
}

struct savings savings_peak(void)
{
    struct savings found = {0, 0};

    if (wanted && !atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) {
        if (extent_count() > 0)
            measure();
        found = peak;
        atomic_flag_clear_explicit(&busy, memory_order_release);
    }
    return found;
}
