/* SPDX-License-Identifier: MIT */
/* Stores: files of page images. Bytes of a store, once written and mapped, never change; new images go to fresh offsets.
   A store is held by each view of it (extent.h), by the seal that writes into it, and by being the open one for small seals.
   When the last hold goes, the file is closed and its memory is free.
   Stores that existed at a fork are inherited in parent and child: neither appends to them nor punches them. */
#ifndef COWSHIM_ENGINE_STORE_H
#define COWSHIM_ENGINE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tree.h"
#include "kernel/storefile.h"

struct store {
    /* fixed: */
    enum storefile_kind kind;
    /* under the stores lock: */
    struct descriptor file;
    uint64_t used;  /* next free offset */
    unsigned holds;
    bool inherited;
    struct tree views; /* extents by offset */
    struct store *next, *previous;
};

/* Room for size bytes in a store of that kind, held; 0 or -errno. Offsets of HUGE stores are multiples of HUGE_SIZE. */
int store_reserve(enum storefile_kind kind, size_t size, struct store **store, uint64_t *offset);
/* Gives back what a failed seal reserved; drops the hold. */
void store_abandon(struct store *store, uint64_t offset, size_t size);
/* The descriptor, or -errno when the program closed it: the store then serves no further copies. */
int store_use(struct store *store);

void store_hold(struct store *store);
void store_release(struct store *store);

void store_add_view(struct store *store, struct tree_node *by_offset);   /* holds the store */
void store_remove_view(struct store *store, struct tree_node *by_offset); /* does not release it */

/* Sums over all stores. */
void store_totals(size_t *count, uint64_t *allocated);

void store_after_fork(void); /* in parent and child: all are inherited from now on */

#endif
