/* SPDX-License-Identifier: MIT */
/* The live blocks, and for those that a copy came from or went into a sample of their pages: what each held when we last looked.
   The caller holds the observer's lock. */
#ifndef COWSHIM_PROFILE_BLOCK_H
#define COWSHIM_PROFILE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tree.h"
#include "profile/format.h"

#define SAMPLES_MOST 1024 /* of one block */

struct watched {
    struct tree_node node; /* key: start */
    size_t size;
    bool told; /* the trail knows of it */
    bool copied_into;
    uint32_t count, room;
    struct trail_sample *samples; /* by page */
};

struct watched *watched_add(uintptr_t start, size_t size);
struct watched *watched_at(uintptr_t start);
struct watched *watched_around(uintptr_t address, size_t size); /* the one that has all of the range, or NULL */
struct watched *watched_from(uintptr_t address);                /* the first that starts there or above, or NULL */
struct watched *watched_after(const struct watched *block);
void watched_remove(struct watched *block); /* out of the table */
void watched_restore(struct watched *block, uintptr_t start, size_t size);
void watched_free(struct watched *block);

/* Puts samples (by page) in the place of those that it has of pages [first, end). True: they were too many, and some, evenly, are
   watched no more. */
bool watched_replace(struct watched *block, uint32_t first, uint32_t end, const struct trail_sample *samples, uint32_t count);
/* Puts them in, leaving others as they are; likewise. */
bool watched_merge(struct watched *block, const struct trail_sample *samples, uint32_t count);

#endif
