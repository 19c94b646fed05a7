/* SPDX-License-Identifier: MIT */
#include "engine/block/block.h"

#include <errno.h>

#include "base/arena.h"
#include "base/page.h"
#include "engine/report/counters.h"
#include "engine/report/export.h"
#include "engine/report/export_page.h"
#include "engine/store/extent.h"
#include "engine/report/observe.h"

#include "base/poison.h"

static struct lock registry_lock = LOCK_INITIALIZER(LOCK_REGISTRY);
static struct tree registry;
static struct pool blocks = POOL_INITIALIZER(struct block);

static struct block *entry_of(struct tree_node *node)
{
    return tree_entry(node, struct block, node);
}

static unsigned flags_of(const struct block *block)
{
    return (block->excluded || block->barred ? EXPORT_EXCLUDED : 0) | (block->huge ? EXPORT_HUGE : 0) |
           (block_foreign(block) ? EXPORT_REGISTERED : 0);
}

/* Into the registry, and out; under its lock. */
static void enter(struct block *block)
{
    tree_insert(&registry, &block->node);
    block->export_slot = export_add(block_start(block), block->size, flags_of(block));
}

static void leave(struct block *block)
{
    tree_remove(&registry, &block->node);
    export_remove(block->export_slot);
    block->export_slot = 0;
}

void block_export_all(void)
{
    if (!export_asleep())
        return;
    lock_take(&registry_lock);
    if (export_asleep()) {
        export_open();
        for (struct tree_node *node = tree_first(&registry); node != NULL; node = tree_next(node)) {
            struct block *block = entry_of(node);

            block->export_slot = export_add(block_start(block), block->size, flags_of(block));
        }
    }
    lock_drop(&registry_lock);
}

void block_export_change(struct block *block)
{
    lock_take(&registry_lock);
    export_change(block->export_slot, block->size, flags_of(block));
    lock_drop(&registry_lock);
}

void block_export_copy(struct block *block, uintptr_t from, const void *caller)
{
    lock_take(&registry_lock);
    export_copied(block->export_slot, from, caller);
    lock_drop(&registry_lock);
}

static struct block *new_block(enum block_kind kind)
{
    struct block *block = pool_take(&blocks);

    if (block == NULL)
        return NULL;
    lock_init(&block->lock, LOCK_BLOCK);
    atomic_store_explicit(&block->holds, 1, memory_order_relaxed);
    block->kind = kind;
    return block;
}

struct block *block_add(uintptr_t start, size_t size, void *raw)
{
    struct block *block = new_block(BLOCK_MALLOC);

    if (block == NULL)
        return NULL;
    block_restore(block, start, size, raw);
    observe_added(start, size);
    counter_add(COUNT_blocks_added, 1);
    return block;
}

/* Under the registry lock. */
static bool is_free(uintptr_t start, uintptr_t end)
{
    struct tree_node *node = tree_at_or_below(&registry, end - 1);

    return node == NULL || block_end(entry_of(node)) <= start;
}

int block_add_foreign(uintptr_t start, size_t size, enum block_kind kind)
{
    struct block *block = new_block(kind);
    bool added;

    if (block == NULL)
        return -ENOMEM;
    block->node.key = start;
    block->size = size;
    block->live = true;
    lock_take(&registry_lock);
    added = is_free(start, start + size);
    if (added)
        enter(block);
    lock_drop(&registry_lock);
    if (!added)
        pool_give(&blocks, block);
    return added ? 0 : -EEXIST;
}

void block_restore(struct block *block, uintptr_t start, size_t size, void *raw)
{
    block->node.key = start;
    block->size = size;
    block->raw = raw;
    block->header = HEADER_UNKNOWN;
    block->live = true;
    lock_take(&registry_lock);
    enter(block);
    lock_drop(&registry_lock);
}

static struct block *held(struct tree_node *node)
{
    struct block *block = node == NULL ? NULL : entry_of(node);

    if (block != NULL)
        block_hold(block);
    return block;
}

/* Bounded: a tree that is being turned may have a loop. */
#define PEEK_STEPS 128

static struct block *peek(uintptr_t address)
{
    struct tree_node *node = registry.root;
    struct tree_node *best = NULL;

    for (int step = 0; node != NULL && step < PEEK_STEPS; step++) {
        if (node->key <= address)
            best = node;
        node = node->key <= address ? node->right : node->left;
    }
    return best == NULL ? NULL : entry_of(best);
}

bool block_peek(uintptr_t start, size_t *size)
{
    struct block *block = peek(start);

    if (block == NULL || block_start(block) != start || block->kind == BLOCK_ANON)
        return false;
    *size = block->size;
    return true;
}

bool block_peek_range(uintptr_t start, size_t size, uintptr_t *found, size_t *found_size)
{
    struct block *block = peek(start + size - 1);

    if (block == NULL || block_end(block) <= start)
        return false;
    *found = block_start(block);
    *found_size = block->size;
    return true;
}

struct block *block_find(uintptr_t address)
{
    struct tree_node *node;
    struct block *block;

    lock_take(&registry_lock);
    node = tree_at_or_below(&registry, address);
    if (node != NULL && address >= block_end(entry_of(node)))
        node = NULL;
    block = held(node);
    lock_drop(&registry_lock);
    return block;
}

struct block *block_find_start(uintptr_t start)
{
    struct block *block = block_find(start);

    if (block != NULL && block_start(block) != start) {
        block_release(block);
        block = NULL;
    }
    return block;
}

struct block *block_find_allocation(const void *start)
{
    struct block *block = block_find_start((uintptr_t)start);

    if (block != NULL && block->kind == BLOCK_ANON) {
        block_release(block);
        block = NULL;
    }
    return block;
}

struct block *block_find_from(uintptr_t address)
{
    struct tree_node *node;
    struct block *block;

    lock_take(&registry_lock);
    node = tree_at_or_below(&registry, address);
    if (node == NULL)
        node = tree_first(&registry);
    while (node != NULL && block_end(entry_of(node)) <= address)
        node = tree_next(node);
    block = held(node);
    lock_drop(&registry_lock);
    return block;
}

struct block *block_find_range(uintptr_t start, size_t size)
{
    struct block *block = block_find(start);

    if (block != NULL && !block_contains(block, start, size)) {
        block_release(block);
        block = NULL;
    }
    return block;
}

bool block_contains(const struct block *block, uintptr_t start, size_t size)
{
    return start >= block_start(block) && start < block_end(block) && size <= block_end(block) - start;
}

bool block_has_our_stack(const struct block *block)
{
    return block_contains(block, (uintptr_t)__builtin_frame_address(0), 1);
}

static bool take_out(struct block *block)
{
    bool was_live = block->live;

    if (was_live) {
        if (!block_foreign(block))
            observe_leaves(block_start(block), block->size);
        block->live = false;
        lock_take(&registry_lock);
        leave(block);
        lock_drop(&registry_lock);
    }
    return was_live;
}

bool block_remove(struct block *block)
{
    bool was_live;

    lock_take(&block->lock); /* waits for copies from or to it */
    was_live = take_out(block);
    lock_drop(&block->lock);
    if (was_live)
        block_release(block); /* the registry's own hold */
    return was_live;
}

static bool has_page(uintptr_t start, uintptr_t end)
{
    return start < end && page_up(start) < page_down(end);
}

static void move_bounds(struct block *block, uintptr_t start, uintptr_t end)
{
    lock_take(&registry_lock);
    leave(block);
    block->node.key = start;
    block->size = end - start;
    enter(block);
    lock_drop(&registry_lock);
}

/* The part from start on becomes a block of its own, with what it shows. */
static int split(struct block *block, uintptr_t start)
{
    struct block *rest = new_block(block->kind);
    uintptr_t end = block_end(block);

    if (rest == NULL)
        return -ENOMEM;
    rest->node.key = start;
    rest->size = end - start;
    rest->live = true;
    rest->excluded = block->excluded;
    rest->huge = block->huge;
    rest->barred = block->barred;
    rest->rewritten = block->rewritten;
    rest->changing = block->changing;
    lock_take(&rest->lock); /* those who find it by what it shows wait until it has all */
    extent_hand_over(block, rest, start);
    lock_take(&registry_lock);
    block->size = start - block_start(block);
    export_change(block->export_slot, block->size, flags_of(block));
    enter(rest);
    lock_drop(&registry_lock);
    lock_drop(&rest->lock);
    return 0;
}

int block_cut(struct block *block, uintptr_t start, uintptr_t end)
{
    bool left = has_page(block_start(block), start);
    bool right = has_page(end, block_end(block));

    if (left && right) {
        int error = split(block, end);

        if (error != 0)
            return error;
    }
    if (left)
        move_bounds(block, block_start(block), start);
    else if (right)
        move_bounds(block, end, block_end(block));
    else if (take_out(block))
        block_release(block); /* the registry's own hold; the caller has one as well */
    return 0;
}

void block_hold(struct block *block)
{
    atomic_fetch_add_explicit(&block->holds, 1, memory_order_relaxed);
}

void block_release(struct block *block)
{
    if (block != NULL && atomic_fetch_sub_explicit(&block->holds, 1, memory_order_acq_rel) == 1)
        pool_give(&blocks, block);
}

void block_lock_pair(struct block *a, struct block *b)
{
    lock_take(a < b ? &a->lock : &b->lock);
    if (a != b)
        lock_take(a < b ? &b->lock : &a->lock);
}

void block_unlock_pair(struct block *a, struct block *b)
{
    lock_drop(&a->lock);
    if (a != b)
        lock_drop(&b->lock);
}

size_t block_count(void)
{
    return pool_in_use(&blocks);
}

size_t block_count_registered(void)
{
    size_t count = 0;

    lock_take(&registry_lock);
    for (struct tree_node *node = tree_first(&registry); node != NULL; node = tree_next(node))
        count += entry_of(node)->kind == BLOCK_REGISTERED;
    lock_drop(&registry_lock);
    return count;
}
