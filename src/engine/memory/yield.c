/* SPDX-License-Identifier: MIT */
/* Mappings are a resource that the program and we share (vm.max_map_count). Where a call of the program fails for want of them, views
   go: their pages become memory of the block's own again, in the mapping that lies around them. */
#include <errno.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "engine/block/block.h"
#include "engine/copy/verify.h"
#include "engine/engine.h"
#include "engine/memory/look.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "kernel/map.h"

#include "base/poison.h"

/* With fewer views than this it is not because of us that the mappings are used up. */
#define MANY_VIEWS 1024
/* Given up at a time, so that the next calls of the program find some. */
#define VIEWS_AT_ONCE 1024
#define BYTES_AT_ONCE ((size_t)256 << 20)

static _Atomic uintptr_t next_victim;

/* Tries whether one mapping can still be split in three. */
static bool mappings_are_used_up(void)
{
    uintptr_t start;
    int error = map_temporary(3 * page_size, &start);

    if (error == 0) {
        error = map_protect(start + page_size, page_size, 0);
        map_end_temporary(start, 3 * page_size);
    }
    return error == -ENOMEM;
}

/* Turns a view into memory of the block's own. No other thread runs, so that the bytes may be absent for a moment. It goes from the front,
   because there a mapping can be replaced in part even when no further mapping can be had. */
static int take_home(struct block *block, uintptr_t start, uintptr_t end, void *buffer)
{
    int error = 0;

    while (error == 0 && start < end) {
        uintptr_t stop = min_address(end, start + SCRATCH_SIZE);
        struct extent_spares spares;

        error = extent_spares_take(&spares);
        if (error != 0)
            break;
        bytes_copy(buffer, (const void *)start, stop - start);
        error = map_zero(start, stop - start, block->huge);
        if (error == 0) {
            bytes_copy((void *)start, buffer, stop - start);
            extent_clear(block, start, stop, &spares);
        }
        extent_spares_give(&spares);
        start = stop;
    }
    return error;
}

struct yield {
    void *buffer;
    size_t views, bytes;
};

static bool enough(const struct yield *yield)
{
    return yield->views >= VIEWS_AT_ONCE || yield->bytes >= BYTES_AT_ONCE;
}

/* Needs the lock. */
static void yield_block(struct block *block, struct yield *yield)
{
    const struct extent *extent;

    if (!block_settled(block) || block_has_our_stack(block) ||
        verify_range(block, page_up(block_start(block)), page_down(block_end(block))) != 0)
        return;
    while (!enough(yield) && (extent = extent_from(block, block_start(block))) != NULL) {
        size_t size = extent->size;

        if (extent_end(extent) > page_up(block_end(block)) ||
            take_home(block, extent_start(extent), extent_end(extent), yield->buffer) != 0)
            return;
        yield->views++;
        yield->bytes += size;
    }
}

/* Every block in its turn: how far it came, or 0 at the end. */
static uintptr_t yield_from(uintptr_t at, struct yield *yield)
{
    struct block *block;

    while (!enough(yield) && (block = block_find_from(at)) != NULL) {
        at = max_address(block_end(block), at + 1);
        if (block->extents_count > 0) {
            lock_take(&block->lock);
            yield_block(block, yield);
            lock_drop(&block->lock);
        }
        block_release(block);
    }
    return enough(yield) ? at : 0;
}

static bool yield_some(void)
{
    struct yield yield = {.buffer = scratch_take()};
    struct look look = {NULL};

    if (yield.buffer != NULL && look_around(&look) == REASON_none && !look.guard->active && mappings_are_used_up()) {
        uintptr_t at = yield_from(atomic_load(&next_victim), &yield);

        if (at == 0)
            at = yield_from(0, &yield);
        atomic_store(&next_victim, at);
    }
    scratch_give(yield.buffer);
    return yield.views > 0;
}

bool engine_yield_mappings(void)
{
    struct entry entry;
    bool yielded;

    if (extent_count() < MANY_VIEWS || !entry_begin_quiet(&entry))
        return false;
    yielded = yield_some();
    entry_end(&entry);
    return yielded;
}
