/* SPDX-License-Identifier: MIT */
/* Extents: which range of a block shows which range of a store. They say what is mapped, not what the pages are: a page of an
   extent may have been written since and be private; only the kernel knows. Where a block has no extent it is anonymous memory.
   All functions need the block's lock. Extents of a block do not overlap; neighbours that continue each other are one. */
#ifndef COWSHIM_ENGINE_EXTENT_H
#define COWSHIM_ENGINE_EXTENT_H

#include <stdbool.h>

#include "base/page.h"
#include "engine/block/block.h"
#include "engine/store/store.h"

struct extent {
    struct tree_node by_address; /* in block->extents */
    struct tree_node by_offset;  /* in store->views */
    size_t size;
    struct block *block;
    struct store *store;
};

/* Records are taken before anything is mapped, so that what was mapped can always be written down. */
struct extent_spares {
    struct extent *spare[2];
};

int extent_spares_take(struct extent_spares *spares); /* 0 or -ENOMEM */
void extent_spares_give(struct extent_spares *spares);

/* [start, end) shows the store from offset on; what it showed before is forgotten. */
void extent_set(struct block *block, uintptr_t start, uintptr_t end, struct store *store, uint64_t offset, struct extent_spares *spares);
/* [start, end) is anonymous now. */
void extent_clear(struct block *block, uintptr_t start, uintptr_t end, struct extent_spares *spares);

/* All from start on, which lies inside of none, becomes another block's. Both locks held. */
void extent_hand_over(struct block *from, struct block *to, uintptr_t start);

/* The first extent that ends above the address, or NULL. */
struct extent *extent_from(const struct block *block, uintptr_t address);
struct extent *extent_after(const struct extent *extent);
/* Whether all of [start, end) shows one stretch of a store, and another block the same one, shift bytes behind. */
bool extent_same(const struct block *block, uintptr_t start, uintptr_t end, const struct block *other, uintptr_t shift);
/* Whether any extent reaches into [start, end). */
bool extent_any(const struct block *block, uintptr_t start, uintptr_t end);

static inline uintptr_t extent_start(const struct extent *extent)
{
    return (uintptr_t)extent->by_address.key;
}

static inline uintptr_t extent_end(const struct extent *extent)
{
    return extent_start(extent) + extent->size;
}

/* The store offset that the address shows; it lies inside the extent. */
static inline uint64_t extent_offset(const struct extent *extent, uintptr_t address)
{
    return extent->by_offset.key + (address - extent_start(extent));
}

size_t extent_count(void);
/* How often a block that had no extent got one: as long as that stays the same, blocks without extents have none. */
unsigned extent_firsts(void);
/* Whether n more may be mapped: the process's VMAs stay well under vm.max_map_count. */
bool extent_budget_left(size_t n);
void extent_init(void);

#endif
