/* SPDX-License-Identifier: MIT */
/* What the allocation functions of the shim need: adding blocks, looking them up, changing their size. */
#include "base/log.h"
#include "engine/block/foreign.h"
#include "engine/block/header.h"
#include "engine/memory/drop.h"
#include "engine/policy/remains.h"
#include "engine/process/entry.h"
#include "engine/report/observe.h"
#include "engine/store/reclaim.h"

#include "base/poison.h"

/* Removes a block whose memory the allocator hands out anew, so that the program must have unmapped or moved it behind our back. Its views
   may be mapped elsewhere now: their stores are never punched, and the record of the block stays because the stores list it. */
static bool evict_stale(struct block *block)
{
    bool stale = block_remove(block);

    if (stale && block->extents_count > 0) {
        for (struct extent *view = extent_from(block, 0); view != NULL; view = extent_after(view))
            store_share(view->store);
        block_hold(block);
    }
    return stale;
}

/* Removes what the registry has in a range that the allocator hands out: stale blocks, and parts of a foreign block if the allocator takes
   its memory from there. */
static void make_room(uintptr_t start, size_t size)
{
    struct block *block;
    bool gone = true;

    while (gone && (block = block_find_from(start)) != NULL) {
        if (block_start(block) >= start + size) {
            gone = false;
        } else if (block_foreign(block)) {
            lock_take(&block->lock);
            foreign_yield(block, start, start + size);
            gone = !block->live || !block_reaches(block, start, start + size); /* else there was no memory for the record */
            lock_drop(&block->lock);
        } else {
            gone = evict_stale(block);
        }
        block_release(block);
    }
}

bool engine_add(void *start, size_t size, void *raw)
{
    return engine_add_made(start, size, raw, 0);
}

bool engine_add_made(void *start, size_t size, void *raw, uint32_t maker)
{
    struct entry entry;
    struct block *block;

    observe_look(OBSERVED_BLOCK, size);
    if (!entry_begin(&entry))
        return false;
    if (engine_confined()) {
        entry_end(&entry);
        return false;
    }
    engine_wake(); /* inside: it takes locks, which a fork must not find held */
    make_room((uintptr_t)start, size);
    block = block_add((uintptr_t)start, size, raw);
    if (block != NULL) {
        block->maker = maker;
        remains_enter(block);
    }
    reclaim_event();
    entry_end(&entry);
    return block != NULL;
}

bool engine_look_up(const void *start, struct engine_block *out)
{
    struct entry entry;
    struct block *block;

    if (!entry_begin(&entry)) {
        out->raw = NULL;
        out->maker = 0;
        out->has_views = true;
        out->registered = false;
        return block_peek((uintptr_t)start, &out->size);
    }
    block = block_find_allocation(start);
    if (block != NULL) {
        lock_take(&block->lock);
        header_restore(block); /* the caller may pass raw to the allocator, which reads the header */
        lock_drop(&block->lock);
        out->raw = block->raw;
        out->size = block->size;
        out->maker = block->maker;
        out->has_views = block->extents_count > 0;
        out->registered = block_foreign(block);
        block_release(block);
    }
    entry_end(&entry);
    return block != NULL;
}

void engine_set_size(const void *start, size_t size)
{
    struct entry entry;
    struct block *block;

    if (!entry_begin(&entry))
        return;
    block = block_find_start((uintptr_t)start);
    if (block != NULL) {
        block->size = size;
        block_export_change(block);
        block_release(block);
    }
    entry_end(&entry);
}

void engine_shrink(const void *start, size_t size)
{
    struct entry entry;
    struct block *block;

    if (!entry_begin_quiet(&entry))
        return;
    block = block_find_start((uintptr_t)start);
    if (block != NULL) {
        uintptr_t end = page_down(block_end(block));
        uintptr_t from = page_up(block_start(block) + size);

        lock_take(&block->lock);
        /* Memory that is not given back is still right: nobody reads beyond the new size. */
        if (from < end && drop_to_zero(block, from, end) != 0)
            log_debug("shrinking %p kept its pages", (void *)block_start(block));
        /* The page in which the old size ended may show a store, too; what lies behind the old size in it is the allocator's. */
        drop_views(block, from, page_up(block_end(block)));
        block->size = size;
        block_export_change(block);
        lock_drop(&block->lock);
        block_release(block);
    }
    entry_end(&entry);
}
