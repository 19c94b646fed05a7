/* SPDX-License-Identifier: MIT */
/* The program's own memory calls (madvise, mprotect, mlock, munmap, ...) on ranges that contain blocks. */
#include <stdint.h>

#include "base/bytes.h"
#include "base/log.h"
#include "engine/block/block.h"
#include "engine/memory/drop.h"
#include "engine/engine.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "engine/block/foreign.h"
#include "engine/store/reclaim.h"
#include "kernel/descriptor.h"
#include "kernel/map.h"

#include "base/poison.h"

static void zero_views(struct block *block, uintptr_t start, uintptr_t end)
{
    while (start < end && extent_any(block, start, end)) {
        unsigned access = ACCESS_USUAL;
        uintptr_t stop = block->excluded ? drop_alike(start, end, &access) : end;

        if (drop_or_fill(block, start, stop, access) != 0)
            log_warn("%p: pages that were to be dropped are kept", (void *)start);
        start = stop;
    }
}

static void apply(struct block *block, uintptr_t start, uintptr_t end, enum engine_memory_call call)
{
    if (call == MEMORY_KEEP && extent_any(block, page_up(start), page_up(end)))
        reclaim_demand();
    if (block_foreign(block)) {
        foreign_memory_call(block, start, end, call);
        return;
    }
    switch (call) {
    case MEMORY_ZERO:
        zero_views(block, page_up(start), page_down(end));
        break;
    case MEMORY_FREE:
        if (!block->excluded)
            drop_views(block, page_up(start), page_down(end));
        break;
    case MEMORY_EXCLUDE:
        block->excluded = true;
        break;
    case MEMORY_GONE:
        block->excluded = true;
        block->kept = true;
        foreign_forget(block, page_down(start), page_up(end)); /* if that fails a record too many does no harm */
        break;
    case MEMORY_KEEP:
        block->excluded = true;
        block->kept = true;
        if (drop_sharing(block, page_up(start), page_up(end)) != 0)
            log_info("%p: some pages of a marked range stay in a store", (void *)start);
        break;
    case MEMORY_SETTLED:
        break;
    case MEMORY_ADMIT:
        if (!block->kept && start <= page_up(block_start(block)) && end >= page_down(block_end(block)))
            block->excluded = false;
        break;
    case MEMORY_HUGE:
        block->huge = true;
        break;
    }
}

bool engine_memory_call(const void *start, size_t size, enum engine_memory_call call)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = size > UINTPTR_MAX - at ? UINTPTR_MAX : at + size;
    struct entry entry;
    struct block *block;

    if (block_count() == 0)
        return true;
    if (!entry_begin_quiet(&entry))
        return false;
    while (at < end && (block = block_find_from(at)) != NULL) {
        uintptr_t stop = block_end(block);

        if (block_start(block) < end) {
            lock_take(&block->lock);
            if (block->live)
                apply(block, max_address(at, block_start(block)), min_address(end, page_up(stop)), call);
            block_export_change(block);
            lock_drop(&block->lock);
        } else {
            stop = end;
        }
        block_release(block);
        at = max_address(stop, at + 1);
    }
    if (call == MEMORY_KEEP)
        reclaim_event();
    entry_end(&entry);
    return true;
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
