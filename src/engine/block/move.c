/* SPDX-License-Identifier: MIT */
/* Blocks that change their size at the cost of their place: by the allocator, or by the pages of one moving into another. */
#include "base/bytes.h"
#include "engine/block/block.h"
#include "engine/engine.h"
#include "engine/policy/fate.h"
#include "engine/process/entry.h"
#include "engine/report/counters.h"
#include "engine/report/observe.h"
#include "engine/store/extent.h"
#include "kernel/descriptor.h"
#include "kernel/map.h"

#include "base/poison.h"

struct block *engine_withdraw(const void *start)
{
    struct entry entry;
    struct block *block;

    if (!entry_begin(&entry))
        return NULL;
    block = block_find_start((uintptr_t)start);
    if (block != NULL && (block->extents_count > 0 || !block_remove(block))) {
        block_release(block);
        block = NULL;
    }
    if (block != NULL)
        fate_leave(block);
    entry_end(&entry);
    return block;
}

void engine_return(struct block *block, void *start, size_t size, void *raw)
{
    uintptr_t was = block_start(block);
    struct entry entry;

    if (!entry_begin(&entry))
        return;
    block_restore(block, (uintptr_t)start, size, raw);
    observe_returns(was, (uintptr_t)start, size);
    entry_end(&entry);
}

/* Moves one VMA's worth of pages, with its view if it is one; copies where the kernel cannot move. */
static void move_piece(struct block *to, uintptr_t target, uintptr_t source, size_t size, const struct extent *extent)
{
    struct extent_spares spares;

    if (extent_spares_take(&spares) == 0) {
        struct store *store = extent == NULL ? NULL : extent->store;
        uint64_t offset = extent == NULL ? 0 : extent_offset(extent, source);
        int error = map_move(source, target, size);

        if (error == 0 && store != NULL)
            extent_set(to, target, target + size, store, offset, &spares);
        extent_spares_give(&spares);
        if (error == 0)
            return;
    }
    bytes_copy((void *)target, (const void *)source, size);
}

static void move_pages(struct block *to, struct block *from, size_t size)
{
    uintptr_t shift = block_start(to) - block_start(from);
    uintptr_t last = block_start(from) + size;
    uintptr_t at = min_address(page_up(block_start(from)), last);
    uintptr_t end = max_address(page_down(last), at);

    bytes_copy((void *)block_start(to), (const void *)block_start(from), at - block_start(from));
    while (at < end) {
        const struct extent *extent = extent_from(from, at);
        bool inside = extent != NULL && extent_start(extent) <= at;
        uintptr_t stop = extent == NULL ? end : min_address(inside ? extent_end(extent) : extent_start(extent), end);

        move_piece(to, at + shift, at, stop - at, inside ? extent : NULL);
        at = stop;
    }
    bytes_copy((void *)(end + shift), (const void *)end, last - end);
}

void engine_move(void *to, void *from, size_t size)
{
    struct entry entry;
    struct block *target = NULL;
    struct block *source = NULL;

    if (entry_begin_quiet(&entry)) {
        source = block_find_start((uintptr_t)from);
        target = block_find_start((uintptr_t)to);
        if (source != NULL && target != NULL && page_aligned(block_start(target) - block_start(source)) && descriptor_in_own_process() &&
            !target->excluded && !source->excluded) {
            block_lock_pair(source, target);
            fate_forget(source); /* its pages are elsewhere afterwards */
            move_pages(target, source, size);
            block_unlock_pair(source, target);
            counter_add(COUNT_blocks_moved, 1);
            size = 0;
        }
        block_release(source);
        block_release(target);
        entry_end(&entry);
    }
    bytes_copy(to, from, size);
}
