/* SPDX-License-Identifier: MIT */
/* Stores: ranges of a file that hold page images. Bytes of a store, once written and mapped, never change; new images go to fresh
   offsets. A store is held by each view of it (extent.h), by the seal that writes into it, and by being the open one for small seals.
   When the last hold goes its range is punched and taken again by others, as soon as no other process shows it (generation.h).
   All offsets are those of the file. */
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
    bool idle;        /* shown by nobody of us, and counted so in the file */
    unsigned writers; /* seals under way: what they wrote is not shown yet */
    unsigned changes; /* of the views, counted */
    unsigned view_count;
    struct tree views;             /* extents by offset */
    struct store *next, *previous; /* of those that are held, or that wait to be given back */
    /* sweep.c's, while all blocks that show the store are locked: one bit a page that was punched already */
    unsigned char *punched;           /* NULL: none was */
    unsigned char few[STORE_FEW / 8]; /* the bits of a store that has no more pages */
    uint64_t sweep_at;                /* where the next look begins, if the last one was cut short; else 0 */
};

static inline uint64_t store_start(const struct store *store)
{
    return store->range.by_offset.key;
}

/* Room for size bytes in a store of that kind, held; 0 or -errno. Offsets of HUGE stores are multiples of HUGE_SIZE. */
int store_reserve(enum storefile_kind kind, size_t size, struct store **store, uint64_t *offset);
/* Ends a seal: all that was reserved is shown now. Drops the hold. */
void store_finish(struct store *store);
/* Gives back what a failed seal reserved; drops the hold. */
void store_abandon(struct store *store, uint64_t offset, size_t size);
/* The descriptor, or -errno when the program closed it: the file then serves no further copies. */
int store_use(struct store *store);

void store_hold(struct store *store);
void store_release(struct store *store);

void store_add_view(struct store *store, struct tree_node *by_offset);                 /* holds the store */
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
    unsigned changes;
};

/* Shows all views (by_offset of the extents), by rising offset, under the stores lock, in which none can end; later they are only
   valid while their blocks are locked and the picture holds. If the store cannot be swept (astray, being written, shown by another
   process, more than `most` views): -EAGAIN, and nothing was shown. */
int store_picture_take(struct store *store, struct store_picture *picture, size_t most,
                       void (*visit)(struct tree_node *view, void *context), void *context);
/* Whether the picture still holds. */
bool store_picture_holds(struct store *store, const struct store_picture *picture);
/* Whether no other process shows the store; to be asked between the look and the punching. */
bool store_alone(struct store *store);
/* A view of these bytes was written over by us, for which the kernel may allocate pages that were punched: they are worth another
   punch when they are dead. Some block that shows them is locked, so that nobody sweeps the store. */
void store_refilled(struct store *store, uint64_t offset, uint64_t size);

/* Bytes reserved in all stores; cheap. */
uint64_t store_bytes(void);
/* Sums over all stores. */
void store_totals(size_t *count, uint64_t *allocated);

/* Others may show the store from now on, whom we do not know: it is not punched before they are gone. */
void store_share(struct store *store);
/* Gives back what could not be given back before, because another process showed it or somebody astray might. True: something else
   can be swept again. */
bool store_settle(void);
/* Whether there may be anything to be given back so; cheap. */
bool store_unsettled(void);
/* In parent and child; nobody else is at work. */
void store_after_fork(bool child);

#endif
