/* SPDX-License-Identifier: MIT */
#include "engine/store/extent.h"

#include <errno.h>

#include "base/arena.h"
#include "kernel/map.h"

#include "base/poison.h"

static struct pool extents = POOL_INITIALIZER(struct extent);
static _Atomic size_t total;
static _Atomic unsigned firsts;
static size_t budget;

static struct extent *entry_of(struct tree_node *node)
{
    return node == NULL ? NULL : tree_entry(node, struct extent, by_address);
}

void extent_init(void)
{
    /* An extent in anonymous memory can cost two VMAs, itself and the rest; at least a quarter of the limit is the program's. */
    budget = map_limit() / 8 * 3;
}

unsigned extent_firsts(void)
{
    return atomic_load_explicit(&firsts, memory_order_relaxed);
}

size_t extent_count(void)
{
    return atomic_load_explicit(&total, memory_order_relaxed);
}

bool extent_budget_left(size_t n)
{
    return extent_count() + n <= budget;
}

int extent_spares_take(struct extent_spares *spares)
{
    for (int i = 0; i < 2; i++)
        spares->spare[i] = pool_take(&extents);
    if (spares->spare[0] != NULL && spares->spare[1] != NULL)
        return 0;
    extent_spares_give(spares);
    return -ENOMEM;
}

void extent_spares_give(struct extent_spares *spares)
{
    for (int i = 0; i < 2; i++) {
        pool_give(&extents, spares->spare[i]);
        spares->spare[i] = NULL;
    }
}

static struct extent *spare(struct extent_spares *spares)
{
    int i = spares->spare[0] != NULL ? 0 : 1;
    struct extent *extent = spares->spare[i];

    spares->spare[i] = NULL;
    return extent;
}

struct extent *extent_from(const struct block *block, uintptr_t address)
{
    struct extent *extent = entry_of(tree_at_or_below(&block->extents, address));

    if (extent != NULL && extent_end(extent) > address)
        return extent;
    return entry_of(tree_at_or_above(&block->extents, address));
}

struct extent *extent_after(const struct extent *extent)
{
    return entry_of(tree_next(&extent->by_address));
}

static bool covers(const struct extent *extent, uintptr_t start, uintptr_t end)
{
    return extent != NULL && extent_start(extent) <= start && extent_end(extent) >= end;
}

bool extent_same(const struct block *block, uintptr_t start, uintptr_t end, const struct block *other, uintptr_t shift)
{
    const struct extent *one = extent_from(block, start), *two = extent_from(other, start + shift);

    return covers(one, start, end) && covers(two, start + shift, end + shift) && one->store == two->store &&
           extent_offset(one, start) == extent_offset(two, start + shift);
}

bool extent_any(const struct block *block, uintptr_t start, uintptr_t end)
{
    struct extent *extent = extent_from(block, start);

    return extent != NULL && extent_start(extent) < end;
}

static void insert(struct extent *extent, struct block *block, uintptr_t start, uintptr_t end, struct store *store, uint64_t offset)
{
    extent->by_address.key = start;
    extent->by_offset.key = offset;
    extent->size = end - start;
    extent->block = block;
    extent->store = store;
    tree_insert(&block->extents, &extent->by_address);
    store_add_view(store, &extent->by_offset);
    if (atomic_fetch_add_explicit(&block->extents_count, 1, memory_order_relaxed) == 0)
        atomic_fetch_add_explicit(&firsts, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&total, 1, memory_order_relaxed);
}

static void erase(struct extent *extent)
{
    struct block *block = extent->block;

    tree_remove(&block->extents, &extent->by_address);
    store_remove_view(extent->store, &extent->by_offset, extent->size);
    store_release(extent->store);
    pool_give(&extents, extent);
    atomic_fetch_sub_explicit(&block->extents_count, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
}

/* Changes the range of an extent in place; its keys move, so it is taken out of both trees and put back. */
static void resize(struct extent *extent, uintptr_t start, uintptr_t end)
{
    uint64_t offset = extent->by_offset.key + start - extent_start(extent); /* may lie below when it grows downwards */

    tree_remove(&extent->block->extents, &extent->by_address);
    store_remove_view(extent->store, &extent->by_offset, end - start < extent->size ? extent->size - (end - start) : 0);
    extent->by_address.key = start;
    extent->by_offset.key = offset;
    extent->size = end - start;
    tree_insert(&extent->block->extents, &extent->by_address);
    store_add_view(extent->store, &extent->by_offset);
    store_release(extent->store); /* the hold that add_view took is the one it had */
}

/* Takes [start, end) out of one extent that reaches into it. */
static void cut(struct extent *extent, uintptr_t start, uintptr_t end, struct extent_spares *spares)
{
    uintptr_t from = extent_start(extent);
    uintptr_t to = extent_end(extent);

    if (from < start && to > end) {
        insert(spare(spares), extent->block, end, to, extent->store, extent_offset(extent, end));
        resize(extent, from, start);
    } else if (from < start) {
        resize(extent, from, start);
    } else if (to > end) {
        resize(extent, end, to);
    } else {
        erase(extent);
    }
}

void extent_clear(struct block *block, uintptr_t start, uintptr_t end, struct extent_spares *spares)
{
    struct extent *extent = extent_from(block, start);

    while (extent != NULL && extent_start(extent) < end) {
        struct extent *after = extent_after(extent);

        cut(extent, start, end, spares);
        extent = after;
    }
}

static bool continues(const struct extent *left, const struct extent *right)
{
    return left->store == right->store && extent_end(left) == extent_start(right) &&
           left->by_offset.key + left->size == right->by_offset.key;
}

static void join(struct extent *left, struct extent *right)
{
    uintptr_t end = extent_end(right);

    erase(right);
    resize(left, extent_start(left), end);
}

void extent_set(struct block *block, uintptr_t start, uintptr_t end, struct store *store, uint64_t offset, struct extent_spares *spares)
{
    struct extent *extent;
    struct extent *neighbour;

    store_hold(store); /* it may be shown only by what is cleared now */
    extent_clear(block, start, end, spares);
    extent = spare(spares);
    insert(extent, block, start, end, store, offset);
    neighbour = entry_of(tree_previous(&extent->by_address));
    if (neighbour != NULL && continues(neighbour, extent)) {
        join(neighbour, extent);
        extent = neighbour;
    }
    neighbour = extent_after(extent);
    if (neighbour != NULL && continues(extent, neighbour))
        join(extent, neighbour);
    store_release(store);
}

void extent_hand_over(struct block *from, struct block *to, uintptr_t start)
{
    struct extent *extent;

    while ((extent = extent_from(from, start)) != NULL) {
        tree_remove(&from->extents, &extent->by_address);
        store_remove_view(extent->store, &extent->by_offset, 0); /* the block is read under the stores lock */
        extent->block = to;
        tree_insert(&to->extents, &extent->by_address);
        store_add_view(extent->store, &extent->by_offset);
        store_release(extent->store); /* the hold that add_view took is the one it had */
        atomic_fetch_sub_explicit(&from->extents_count, 1, memory_order_relaxed);
        if (atomic_fetch_add_explicit(&to->extents_count, 1, memory_order_relaxed) == 0)
            atomic_fetch_add_explicit(&firsts, 1, memory_order_relaxed);
    }
}
