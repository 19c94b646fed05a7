/* SPDX-License-Identifier: MIT */
/* What the control interface (cowshim.h, shim/control.c) and COWSHIM_SCOPE=anon ask of the engine; the promises are in cowshim.h.
   0 or -errno; -EAGAIN where nothing can be looked up. Ranges are not empty and do not wrap around. */
#ifndef COWSHIM_ENGINE_CONTROL_H
#define COWSHIM_ENGINE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/report/counters.h"

int engine_register(void *start, size_t size);
int engine_unregister(void *start, size_t size);
/* A private anonymous mapping that the program just made: a foreign block, unless a block is there already. */
void engine_add_mapping(void *start, size_t size);
/* The program is about to move or resize a range. What it shows in foreign blocks becomes private memory first: at its new place
   nobody would know of it, and MADV_DONTNEED there must give zeros. */
enum engine_place {
    PLACE_OTHER,
    PLACE_MAPPING, /* it lies in a mapping that was added */
    PLACE_PIECES,  /* the same, and what is one mapping to the program may be several to the kernel */
    PLACE_STUCK,   /* no memory: it must not move */
};
enum engine_place engine_before_move(void *start, size_t size);

/* A copy that the program asked for by name: no policy, no smallest size. *done: leading bytes that are done; the rest is for the
   caller, unless whole says that all or nothing was wanted. *shared: bytes of these that were not copied. */
enum reason engine_share(void *to, const void *from, size_t size, const void *caller, bool whole, size_t *done, size_t *shared);
/* Seals the range; *shown: bytes of it that show a store then. */
enum reason engine_seal(void *start, size_t size, size_t *shown);

/* Makes equal whole pages of two ranges one. all: every page is read; else a sample is read first. */
enum reason engine_merge(const void *a, const void *b, size_t size, bool all);

enum engine_hint {
    HINT_EXCLUDE, /* nothing is shared from or to these blocks */
    HINT_REWRITE, /* nor by the policy's own decision */
    HINT_NONE,    /* both are taken back */
};
int engine_hint(void *start, size_t size, enum engine_hint hint);

/* Bytes of the range that have a page of their own; that show a store or a file. The rest are holes. */
int engine_residency(const void *start, size_t size, uint64_t *own, uint64_t *shown);

/* What has still to be read to know whether every page of a range differs. */
enum engine_look {
    LOOK_BOTH,     /* both */
    LOOK_NONE,     /* nothing: every page of it differs */
    LOOK_A_STORED, /* both, and engine_differs() may read a without a page fault for each few pages of it */
    LOOK_B_STORED,
    LOOK_A, /* only inside of engine_compare: this one; what the other shows was read from its store */
    LOOK_B,
};
struct engine_range {
    size_t offset, size;
    enum engine_look look;
};
/* Which parts of two ranges may differ: fills ranges, rising, and returns how far that reaches, at least one page and at most size.
   All that is not in them is the same in both, if nobody writes. Without `read` nothing of either is read; with it, what is cheaper
   read by us than by the caller: single pages, whose counterpart would cost a page fault. */
size_t engine_compare(const void *a, const void *b, size_t size, bool read, struct engine_range *ranges, size_t max, size_t *count);
/* Compares up to ENGINE_DIFFERS_PAGES whole pages with others that show a store, and were not brought in yet: those are read from it, and
   stay where they are. Sets a bit in *pages for each that differs. False: compare them in place. */
#define ENGINE_DIFFERS_PAGES 32
bool engine_differs(const void *memory, const void *stored, size_t size, uint64_t *pages);

struct engine_figures {
    uint64_t blocks, registered, views, stores, store_bytes;
    uint64_t plain_copies, plain_bytes;
};
int engine_figures(struct engine_figures *figures);

#endif
