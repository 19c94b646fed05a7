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
    unsigned writers;    /* seals under way: what they wrote is not shown yet */
    unsigned generation; /* moves with every change of the views */
    unsigned view_count;
    struct tree views; /* extents by offset */
    struct store *next, *previous;
    /* sweep.c's, while all blocks that show the store are locked: one bit a page that was punched already, for the first punched_pages pages */
    unsigned char *punched;
    size_t punched_pages;
    uint64_t sweep_at; /* where the next look begins, if the last one was cut short */
};

/* Room for size bytes in a store of that kind, held; 0 or -errno. Offsets of HUGE stores are multiples of HUGE_SIZE. */
int store_reserve(enum storefile_kind kind, size_t size, struct store **store, uint64_t *offset);
/* Ends a seal: all that was reserved is shown now. Drops the hold. */
void store_finish(struct store *store);
/* Gives back what a failed seal reserved; drops the hold. */
void store_abandon(struct store *store, uint64_t offset, size_t size);
/* The descriptor, or -errno when the program closed it: the store then serves no further copies. */
int store_use(struct store *store);

void store_hold(struct store *store);
void store_release(struct store *store);

void store_add_view(struct store *store, struct tree_node *by_offset);   /* holds the store */
void store_remove_view(struct store *store, struct tree_node *by_offset, size_t size); /* does not release it */

/* The store after this one (NULL: the first), held; this one is released. For walks over all stores. */
struct store *store_after(struct store *store);
/* Turns the list so that walks begin with this store. */
void store_make_first(struct store *store);
/* Bytes of views that ended since the last call: a hint that stores may have pages that nobody sees. */
uint64_t store_take_unshown(void);

/* A store at one moment. */
struct store_picture {
    uint64_t used;
    unsigned generation;
};

/* Shows all views (by_offset of the extents), by rising offset, under the stores lock, in which none can end; later they are only
   valid while their blocks are locked and the picture holds. If the store cannot be swept (inherited, being written, more than
   `most` views): -EAGAIN, and nothing was shown. */
int store_picture_take(struct store *store, struct store_picture *picture, size_t most,
                       void (*visit)(struct tree_node *view, void *context), void *context);
/* A view of these bytes was written over by us, for which the kernel may allocate pages that were punched: they are worth another
   punch when they are dead. Some block that shows them is locked, so that nobody sweeps the store. */
void store_refilled(struct store *store, uint64_t offset, uint64_t size);
/* Bytes reserved in all stores; cheap. */
uint64_t store_bytes(void);
/* Whether the picture still holds. */
bool store_picture_holds(struct store *store, const struct store_picture *picture);

/* Sums over all stores. */
void store_totals(size_t *count, uint64_t *allocated);

/* Others may show the store from now on, whom we do not know: it is never punched or appended to. */
void store_share(struct store *store);
void store_after_fork(void); /* in parent and child: all are inherited from now on */
/* The same for a fork inside of us, when locks may be held: carried out before anything is punched or appended. */
void store_after_fork_later(void);

#endif
