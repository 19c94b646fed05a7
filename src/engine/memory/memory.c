/* SPDX-License-Identifier: MIT */
/* The program's own memory calls (madvise, mprotect, mlock, munmap, ...) on ranges that contain blocks. */

#include "base/log.h"
#include "engine/block/block.h"
#include "engine/copy/verify.h"
#include "engine/memory/drop.h"
#include "engine/memory/look.h"
#include "engine/engine.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "engine/block/foreign.h"
#include "engine/store/reclaim.h"
#include "kernel/map.h"

#include "base/poison.h"

/* What is locked, or was marked by the program while its pages could not be replaced, keeps its mapping. */
static void zero_views(struct block *block, uintptr_t start, uintptr_t end, bool locked)
{
    while (start < end && extent_any(block, start, end)) {
        unsigned access = ACCESS_USUAL;
        uintptr_t stop = block->excluded ? drop_alike(start, end, &access) : end;

        if ((locked || block->kept ? drop_by_filling : drop_or_fill)(block, start, stop, access) != 0)
            log_warn("%p: pages that were to be dropped are kept", (void *)start);
        start = stop;
    }
}

/* MADV_FREE: what the kernel is about to refuse keeps its contents. */
static bool will_be_freed(const struct block *block, uintptr_t start, uintptr_t end)
{
    return !block->excluded && extent_any(block, start, end) && !map_locked(start, end - start);
}

/* The end of the piece of memory that one huge page can be made of. The kernel makes a huge page only inside one mapping, so that what is
   left over at the end of the range goes into the last piece: alone it would be a mapping without room for a huge page. */
static uintptr_t end_of_huge_page(uintptr_t start, uintptr_t end)
{
    uintptr_t stop = align_up(start, HUGE_SIZE) + HUGE_SIZE;

    return end - stop < HUGE_SIZE || stop > end ? end : stop;
}

static void unshare_huge_pages(struct block *block, uintptr_t start, uintptr_t end)
{
    struct look look = {NULL};

    start = max_address(align_down(start, HUGE_SIZE), page_up(block_start(block)));
    end = min_address(align_up(end, HUGE_SIZE), page_down(block_end(block)));
    if (!block_settled(block) || !extent_any(block, start, end) || look_around(&look) != REASON_none ||
        verify_range(block, start, end) != 0)
        return;
    while (start < end) {
        uintptr_t stop = end_of_huge_page(start, end);

        if (extent_any(block, start, stop) && drop_into_one(block, look.guard, start, stop) != 0)
            return;
        start = stop;
    }
}

static void keep(struct block *block, uintptr_t start, uintptr_t end)
{
    block->excluded = true;
    block->kept = true;
    if (drop_sharing(block, page_up(start), page_up(end)) != 0)
        log_info("%p: some pages of a marked range stay in a store", (void *)start);
}

static void apply_to_allocation(struct block *block, uintptr_t start, uintptr_t end, enum engine_memory_call call)
{
    switch (call) {
    case MEMORY_ZERO:
    case MEMORY_ZERO_LOCKED:
        start = page_up(start);
        end = page_down(end);
        zero_views(block, start, end, call == MEMORY_ZERO_LOCKED && map_locked(start, end - start));
        break;
    case MEMORY_FREE:
        drop_views(block, page_up(start), page_down(end));
        break;
    case MEMORY_EXCLUDE:
        block->excluded = true;
        break;
    case MEMORY_GONE:
        block->excluded = true;
        block->kept = true;
        foreign_forget(block, page_down(start), page_up(end)); /* if that fails an extent is kept that shows nothing, which does no harm */
        break;
    case MEMORY_KEEP:
        keep(block, start, end);
        break;
    case MEMORY_SETTLED:
        break;
    case MEMORY_ADMIT:
        if (!block->kept && start <= page_up(block_start(block)) && end >= page_down(block_end(block)))
            block->excluded = false;
        break;
    case MEMORY_HUGE:
    case MEMORY_COLLAPSE:
        block->huge = true;
        break;
    }
}

static void apply(struct block *block, uintptr_t start, uintptr_t end, const void *call)
{
    enum engine_memory_call which = *(const enum engine_memory_call *)call;

    if (which == MEMORY_KEEP && extent_any(block, page_up(start), page_up(end)))
        reclaim_demand();
    if (which == MEMORY_FREE && !will_be_freed(block, page_up(start), page_down(end)))
        return;
    if (which == MEMORY_COLLAPSE)
        unshare_huge_pages(block, page_up(start), page_down(end));
    if (block_foreign(block))
        foreign_memory_call(block, start, end, which);
    else
        apply_to_allocation(block, start, end, which);
}

/* Calls treat() for the part of each block that lies in the range, and returns the number of blocks. */
static size_t for_blocks(uintptr_t at, uintptr_t end, void (*treat)(struct block *, uintptr_t, uintptr_t, const void *),
                         const void *argument)
{
    struct block *block;
    size_t count = 0;

    while (at < end && (block = block_find_from(at)) != NULL) {
        uintptr_t stop = block_end(block);

        if (block_start(block) < end) {
            lock_take(&block->lock);
            if (block->live)
                treat(block, max_address(at, block_start(block)), min_address(end, page_up(stop)), argument);
            block_export_change(block);
            lock_drop(&block->lock);
            count++;
        } else {
            stop = end;
        }
        block_release(block);
        at = max_address(stop, at + 1);
    }
    return count;
}

static uintptr_t end_of(const void *start, size_t size)
{
    uintptr_t at = (uintptr_t)start;

    return size > UINTPTR_MAX - at ? UINTPTR_MAX : at + size;
}

bool engine_memory_call(const void *start, size_t size, enum engine_memory_call call)
{
    struct entry entry;

    if (block_count() == 0)
        return true;
    if (!entry_begin_quiet(&entry))
        return false;
    for_blocks((uintptr_t)start, end_of(start, size), apply, &call);
    if (call == MEMORY_KEEP)
        reclaim_event();
    entry_end(&entry);
    return true;
}

/* Drops the views of the range, before the kernel discards its pages. False where a view is left: its pages were filled with zeros then,
   but once the kernel discards those the store's pages are seen again. Needs the lock. */
static bool zero_block_ahead(struct block *block, uintptr_t start, uintptr_t end)
{
    if (!extent_any(block, start, end))
        return true;
    start = page_up(start);
    end = page_down(end);
    if (!block_settled(block) || map_locked(start, end - start) || verify_range(block, start, end) != 0)
        return false;
    zero_views(block, start, end, false);
    return !extent_any(block, start, end);
}

bool engine_zero_ahead(const void *start, size_t size)
{
    uintptr_t end = end_of(start, size);
    struct entry entry;
    struct block *block;
    bool done = false;

    if (extent_count() == 0 || size == 0 || !entry_begin_quiet(&entry))
        return false;
    block = block_find_from((uintptr_t)start);
    if (block == NULL || block_start(block) >= page_up(end)) {
        done = true; /* the usual case: an allocator discards memory that was freed before, which is no block any more */
    } else if (block_contains(block, (uintptr_t)start, size)) {
        lock_take(&block->lock);
        done = zero_block_ahead(block, (uintptr_t)start, page_up(end));
        lock_drop(&block->lock);
    }
    block_release(block);
    entry_end(&entry);
    return done;
}

static void begin_change(struct block *block, uintptr_t start, uintptr_t end, const void *unused)
{
    (void)start;
    (void)end;
    (void)unused;
    block->changing++;
}

bool engine_going(const void *start, size_t size)
{
    struct entry entry;
    bool any;

    if (block_count() == 0 || size == 0 || !page_aligned((uintptr_t)start) || !entry_begin_quiet(&entry))
        return false;
    any = for_blocks((uintptr_t)start, end_of(start, size), begin_change, NULL) > 0;
    entry_end(&entry);
    return any;
}

/* Ends what engine_going() began. A block whose count is 0 was added in between, at a place that the call had freed: the call says nothing
   about it. */
static void end_change(struct block *block, uintptr_t start, uintptr_t end, const void *went)
{
    if (block->changing == 0)
        return;
    block->changing--;
    if (!*(const bool *)went)
        return;
    if (block_foreign(block)) {
        foreign_memory_call(block, start, end, MEMORY_GONE);
        return;
    }
    block->excluded = true;
    block->kept = true;
    foreign_forget_stale(block, page_down(start), page_up(end));
}

void engine_gone(const void *start, size_t size, bool went)
{
    struct entry entry;

    if (!entry_begin_quiet(&entry))
        return;
    for_blocks((uintptr_t)start, end_of(start, size), end_change, &went);
    entry_end(&entry);
}

void engine_wiped(const void *start, size_t size)
{
    uintptr_t at = (uintptr_t)start;
    struct entry entry;

    if (extent_count() == 0)
        return;
    if (!entry_begin_quiet(&entry)) {
        reclaim_demand();
        return;
    }
    if (descriptor_in_own_process())
        reclaim_wiped(page_down(at), page_up(at + size));
    entry_end(&entry);
}

bool engine_peek(const void *start, size_t size, void **from, size_t *length)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t found = at;
    size_t block_size;

    if (!block_peek_range(at, size, &found, &block_size))
        return false;
    *from = (void *)max_address(at, found);
    *length = min_address(at + size, found + block_size) - (uintptr_t)*from;
    return true;
}
