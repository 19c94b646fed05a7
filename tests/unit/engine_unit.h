/* SPDX-License-Identifier: MIT */
/* What tests of the engine look at: the insides of a block and the sums over all stores. */
#ifndef COWSHIM_TESTS_ENGINE_UNIT_H
#define COWSHIM_TESTS_ENGINE_UNIT_H

#include "engine/block/block.h"
#include "engine/store/extent.h"
#include "unit.h"

/* The record of a live block that no other thread removes: not held. */
struct block *block_at(const void *start);
/* Pages of the range that are private, or there at all. */
size_t private_pages(const void *start, size_t pages);
size_t touched_pages(const void *start, size_t pages);
size_t extents_of(const void *start);
size_t stores_open(void);
uint64_t stores_allocated(void);
/* The store that the address shows, not held, or NULL. */
struct store *store_at(const void *address);
/* As the shim's madvise(MADV_DONTNEED). */
void discard(char *start, size_t pages);
/* A block of filled pages that is one view: sealed, and shown by another block, which is returned in *other if asked for. */
char *sealed_block(size_t pages, unsigned number, char **other);

/* What pages of a block can be when an operation meets them. Patchwork has a view with private runs in it, zero memory with a private
   page in it, and private memory; an island is a view in the middle, private before it and zero behind. */
enum state { HOLES, PRIVATE, VIEW, PATCHWORK, ISLAND, STATES };

/* Brings fresh pages of a block into a state; `number` makes the contents. The shadow is plain memory that gets the same. */
void bring_into(enum state state, char *memory, size_t pages, unsigned number, char *shadow);
/* Where pages of that state are one long hole: the first and how many; 0 pages where there is none. */
size_t long_hole(enum state state, size_t pages, size_t *first);
/* Private pages that are too scattered to be sealed when such pages are copied. */
size_t scattered_pages(enum state state);

/* Room in a store, held; the test ends where there is none. */
struct store *reserve_store(enum storefile_kind kind, size_t size, uint64_t *offset);
/* For store_picture_take(): counts the views into an unsigned. */
void count_visit(struct tree_node *view, void *count);

#endif
