/* SPDX-License-Identifier: MIT */
/* What tests of the engine look at: the insides of a block and the sums over all stores. */
#ifndef COWSHIM_TESTS_ENGINE_UNIT_H
#define COWSHIM_TESTS_ENGINE_UNIT_H

#include "engine/block.h"
#include "engine/extent.h"
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

#endif
