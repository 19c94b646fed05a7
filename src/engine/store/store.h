/* SPDX-License-Identifier: MIT */
/* Stores: ranges of a file that hold page images. Bytes of a store, once written and mapped, never change; new images go to fresh offsets.
   A store is held by each view of it (extent.h), by each seal that writes into it, and by open_store[] (store.c) while small seals go
   there. After the last hold its range is punched and used again, as soon as no other process shows it (generation.h).
   All offsets are offsets in the file. */
#ifndef COWSHIM_ENGINE_STORE_H
#define COWSHIM_ENGINE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tree.h"
#include "engine/store/file.h"
#include "engine/store/generation.h"

#define STORE_FEW 1024

struct store {
    /* fixed: */
    struct store_file *file;
    struct generation *generation;
    struct file_range range;
    /* under the stores lock: */
    uint64_t used; /* next free offset */
    unsigned holds;
    bool astray;      /* a view of it was moved or unmapped by the program: somebody may show it whom we do not know */
    bool idle;        /* this process does not show it; counted in file->idle */
    unsigned writers; /* seals under way: what they wrote is not shown yet */
    unsigned changes; /* how often a view came or ended */
    unsigned view_count;
    struct tree views;             /* extents by offset */
    struct store *next, *previous; /* in the list of held stores, or of those that wait to be given back */
    /* sweep.c's, while all blocks that show the store are locked: */
    unsigned char *punched;           /* a bit for each page that was punched already; NULL: no page was */
    unsigned char few[STORE_FEW / 8]; /* room for these bits in a store of up to STORE_FEW pages */
    uint64_t sweep_at;                /* where the next sweep begins if the last one was cut short; else 0 */
};

static inline uint64_t store_start(const struct store *store)
{
    return store->range.by_offset.key;
}

/* Room for size bytes in a store of that kind, held; 0 or -errno. Offsets of HUGE stores are multiples of HUGE_SIZE. */
int store_reserve(enum storefile_kind kind, size_t size, struct store **store, uint64_t *offset);
/* Ends a seal that has mapped all that it reserved. Drops its hold. */
void store_finish(struct store *store);
/* Ends a seal that failed or was broken off: gives back the end of its reservation, which it has not mapped. Drops its hold. */
void store_abandon(struct store *store, uint64_t offset, size_t size);
/* The descriptor of its file; -errno when the program closed that, after which no further copies can use the file. */
int store_use(struct store *store);

void store_hold(struct store *store);
void store_release(struct store *store);

void store_add_view(struct store *store, struct tree_node *by_offset);                 /* holds the store */
void store_remove_view(struct store *store, struct tree_node *by_offset, size_t size); /* does not release it */

/* The store after this one (NULL: the first), held; this one is released. For walks over all stores. */
struct store *store_after(struct store *store);
/* Moves the store to the front of the list, so that the next walk begins with it. */
void store_make_first(struct store *store);
/* The bytes of all views that ended since the last call: some of their pages may be dead. */
uint64_t store_take_unshown(void);

/* What a sweep compares to see whether a store changed under it. */
struct store_picture {
    uint64_t used;
    unsigned changes;
};

/* Takes a picture of the store, and calls visit() for each of its views (by_offset of the extents) in rising order. It does so under the
   stores lock, so that no view ends meanwhile; afterwards the views are only valid while their blocks are locked and the picture holds.
   -EAGAIN, and no call, if the store cannot be swept: it is astray, is being written, is shown by another process, or has more than `most`
   views. */
int store_picture_take(struct store *store, struct store_picture *picture, size_t most,
                       void (*visit)(struct tree_node *view, void *context), void *context);
/* Whether the picture still holds. */
bool store_picture_holds(struct store *store, const struct store_picture *picture);
/* Whether no other process shows the store. To be asked after looking for dead pages and before punching them. */
bool store_alone(struct store *store);
/* We wrote over a view of these bytes, for which the kernel may have allocated punched pages anew. Clears their bits in `punched`, so that
   the next sweep punches them again if they are dead. The caller has a block locked that shows them, which keeps sweeps away. */
void store_refilled(struct store *store, uint64_t offset, uint64_t size);

/* The bytes reserved in all stores. Takes no lock. */
uint64_t store_bytes(void);
/* Sums over all stores. */
void store_totals(size_t *count, uint64_t *allocated);

/* From now on somebody whom we do not know may show the store: it is not punched before nobody maps it any more. */
void store_share(struct store *store);
/* Gives back the stores that had to wait because another process showed them, or a view that was moved might. True: other stores, too, are
   no longer shown by another process, so that they can be swept again. */
bool store_settle(void);
/* Whether store_settle() may have anything to do. Takes no lock. */
bool store_unsettled(void);
/* To be called in parent and child, while no operation is under way. */
void store_after_fork(bool child);

#endif
