/* SPDX-License-Identifier: MIT */
/* engine_fill: a fill drops the views that it overwrites, and zeros are not written where memory is zero already. */
#include "base/bytes.h"
#include "engine/engine.h"
#include "engine/memory/drop.h"
#include "engine/memory/look.h"
#include "engine/policy/hint.h"
#include "engine/process/entry.h"
#include "engine/report/counters.h"
#include "engine/copy/verify.h"
#include "kernel/descriptor.h"
#include "kernel/pagemap.h"

#include "base/poison.h"

/* A few pages tell whether the range was in use, which a full scan would take an eighth of the fill's time to find out. */
static bool looks_used(struct whole_pages pages)
{
    uintptr_t middle = page_down(pages.start + (pages.end - pages.start) / 2);

    return pagemap_any(PAGES_PRIVATE, pages.start, pages.start + page_size) != 0 &&
           pagemap_any(PAGES_PRIVATE, middle, middle + page_size) != 0 && pagemap_any(PAGES_PRIVATE, pages.end - page_size, pages.end) != 0;
}

/* Zeroes only what is not zero already. False when the kernel does not tell: nothing is lost by filling all of it then. */
static bool zero_used(struct whole_pages pages)
{
    struct page_run runs[32];
    uintptr_t at = pages.start;

    while (at < pages.end) {
        uintptr_t walked;
        int count = pagemap_runs(PAGES_PRIVATE, at, pages.end, runs, 32, &walked);

        if (count < 0)
            return false;
        counter_add(COUNT_zero_skipped, walked - at);
        for (int i = 0; i < count; i++) {
            bytes_fill((void *)runs[i].start, 0, runs[i].end - runs[i].start);
            counter_add(COUNT_zero_skipped, -(uint64_t)(runs[i].end - runs[i].start));
        }
        at = walked;
    }
    return true;
}

/* Under the lock, so that no copy seals pages meanwhile, which would look like holes; and only in memory that is anonymous, for
   the program may have mapped something over its block. */
static bool zero_block(struct block *block, struct whole_pages pages)
{
    bool zeroed = false;

    lock_take(&block->lock);
    if (block_settled(block) && !extent_any(block, pages.start, pages.end) && !looks_used(pages) && look_holes_are_zero() &&
        verify_range(block, pages.start, pages.end) == 0)
        zeroed = zero_used(pages);
    lock_drop(&block->lock);
    return zeroed;
}

static bool fill_block(struct block *block, uintptr_t to, int value, size_t size)
{
    struct whole_pages pages = whole_pages(to, size);

    if (block->extents_count > 0 && !engine_sharing_stopped())
        drop_overwritten(block, to, size);
    if (value != 0 || pages.start == pages.end || !zero_block(block, pages))
        return false;
    bytes_fill((void *)to, 0, pages.start - to);
    bytes_fill((void *)pages.end, 0, to + size - pages.end);
    return true;
}

bool engine_fill(void *to, int value, size_t size)
{
    struct entry entry;
    struct block *block;
    unsigned firsts;
    bool done = false;

    if (value != 0 && (extent_count() == 0 || hint_plain((uintptr_t)to, extent_firsts(), size)))
        return false;
    /* Quiet even to find out that there is nothing to do: memset may be left by a jump out of a signal handler. */
    if (block_count() == 0 || !entry_begin_quiet(&entry))
        return false;
    firsts = extent_firsts();
    block = block_find_range((uintptr_t)to, size);
    if (value != 0 && (block == NULL || block->extents_count == 0))
        hint_give((uintptr_t)to, firsts, size);
    if (block != NULL) {
        if (descriptor_in_own_process())
            done = fill_block(block, (uintptr_t)to, value, size);
        block_release(block);
    }
    entry_end(&entry);
    return done;
}
