/* SPDX-License-Identifier: MIT */
/* Removing blocks: what free() and realloc() give back to the allocator shows no store any more. */
#include <stdatomic.h>

#include "base/log.h"
#include "engine/block/foreign.h"
#include "engine/block/header.h"
#include "engine/memory/drop.h"
#include "engine/policy/fate.h"
#include "engine/process/entry.h"
#include "engine/report/counters.h"
#include "engine/report/savings.h"
#include "engine/store/reclaim.h"
#include "kernel/descriptor.h"

#include "base/poison.h"

/* Stuck blocks: they were removed, but still show stores, because there was no mapping or memory left to drop the views with. Their memory
   must not be reused, and their records keep the reference that the registry had. Later calls try again, one block at a time, in turn. */
static struct lock stuck_lock = LOCK_INITIALIZER(LOCK_REGISTRY);
static struct block *stuck_first, *_Atomic stuck_last;

static void put_stuck(struct block *block)
{
    lock_take(&stuck_lock);
    block->next_stuck = NULL;
    if (stuck_first == NULL)
        stuck_first = block;
    else
        stuck_last->next_stuck = block;
    stuck_last = block;
    lock_drop(&stuck_lock);
}

static struct block *get_stuck(void)
{
    struct block *block;

    lock_take(&stuck_lock);
    block = stuck_first;
    if (block != NULL)
        stuck_first = block->next_stuck;
    if (stuck_first == NULL)
        stuck_last = NULL;
    lock_drop(&stuck_lock);
    return block;
}

/* Drops all views of a block that left the registry. 0 or -errno. */
static int make_anonymous(struct block *block)
{
    int error;

    lock_take(&block->lock);
    fate_end(block);
    error = block_foreign(block) ? foreign_forget_stale(block, 0, page_down(UINTPTR_MAX)) : 0;
    if (error == 0)
        error = drop_views(block, 0, page_down(UINTPTR_MAX)); /* all: after a shrink some may lie beyond the size */
    lock_drop(&block->lock);
    return error;
}

/* The pointer by which the allocator knows the memory of a block that left the registry. */
static void *memory_of(struct block *block)
{
    header_restore(block);
    return block_foreign(block) ? (void *)block_start(block) : block->raw;
}

/* The same once its views are dropped; NULL if they could not be, and the block is stuck. */
static void *give_back(struct block *block)
{
    int error = make_anonymous(block);

    if (error == 0)
        return memory_of(block);
    block_hold(block);
    put_stuck(block);
    counter_add(COUNT_blocks_lost, 1);
    log_info("%zu bytes at %p cannot be given back now (error %d)", (size_t)block->size, (void *)block_start(block), -error);
    return NULL;
}

void *engine_take_stuck(void)
{
    struct entry entry;
    struct block *block;
    void *raw = NULL;

    if (atomic_load_explicit(&stuck_last, memory_order_relaxed) == NULL || !entry_begin_quiet(&entry))
        return NULL;
    block = descriptor_in_own_process() ? get_stuck() : NULL;
    if (block != NULL && make_anonymous(block) == 0) {
        raw = memory_of(block);
        block_release(block);
        counter_add(COUNT_blocks_lost, (uint64_t)-1);
    } else if (block != NULL) {
        put_stuck(block);
    }
    entry_end(&entry);
    return raw;
}

static void remove_block(struct block *block, void **raw)
{
    /* In a vfork child the views are the parent's as well: they stay, and with them the block. */
    if (block->extents_count > 0 && !descriptor_in_own_process()) {
        *raw = NULL;
    } else if (block_remove(block)) {
        fate_leave(block);
        *raw = block->extents_count == 0 ? memory_of(block) : give_back(block);
    }
}

/* Whether the block has views. Most blocks have none, and leave without blocking signals (entry_begin_quiet()). */
static bool has_views(const void *start)
{
    struct entry entry;
    struct block *block;
    bool has;

    if (!entry_begin(&entry))
        return true;
    block = block_find_allocation(start);
    has = block != NULL && block->extents_count > 0;
    block_release(block);
    entry_end(&entry);
    return has;
}

/* Removes a block without a system call of ours. Memory that glibc mapped for this block alone goes back to it even though it shows stores,
   because glibc unmaps it. Any other memory would be handed out again with its views, and is never given back. */
static bool remove_confined(void *start, void **raw)
{
    struct entry entry;
    struct block *block;
    size_t size;

    if (!entry_begin(&entry))
        return block_peek((uintptr_t)start, &size);
    block = block_find_allocation(start);
    if (block != NULL && header_says_mapped(block) && block_remove(block)) {
        block_hold(block); /* its stores still list its views */
        *raw = memory_of(block);
    }
    block_release(block);
    entry_end(&entry);
    return block != NULL;
}

bool engine_remove(void *start, void **raw)
{
    struct entry entry;
    struct block *block;
    size_t size;
    bool quiet;

    if (block_count() == 0)
        return false;
    quiet = extent_count() > 0 && has_views(start);
    *raw = NULL;
    if (quiet && engine_confined())
        return remove_confined(start, raw);
    if (!(quiet ? entry_begin_quiet : entry_begin)(&entry))
        return block_peek((uintptr_t)start, &size);
    block = block_find_allocation(start);
    if (block != NULL) {
        if (quiet)
            savings_event();
        remove_block(block, raw);
        block_release(block);
    }
    if (quiet)
        reclaim_event();
    entry_end(&entry);
    return block != NULL;
}
