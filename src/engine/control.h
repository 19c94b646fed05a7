/* SPDX-License-Identifier: MIT */
/* What the control interface (cowshim.h, shim/control.c) and COWSHIM_SCOPE=anon ask of the engine; the promises are in cowshim.h. Functions
   that return int return 0 or -errno; -EAGAIN: this thread must not look at blocks now (a signal handler that interrupted us, or a child
   that cannot trust what it inherited). The caller has checked that ranges are not empty and do not wrap around. */
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
/* Prepares for a call of the program that moves or resizes a range (mremap). Views that foreign blocks have in it become private memory
   first, because nobody would know of them at the new place, where MADV_DONTNEED must give zeros. Returns what the range is. */
enum engine_place {
    PLACE_OTHER,
    PLACE_MAPPING, /* it lies in a mapping that engine_add_mapping() knows */
    PLACE_PIECES,  /* the same, and because of us the kernel may have split into several mappings what is one to the program */
    PLACE_STUCK,   /* there was no memory to make it private: the call must fail */
};
enum engine_place engine_before_move(void *start, size_t size);

/* A copy that the program asked for by name: neither the policy nor a smallest size applies. *done counts the leading bytes that hold what
   the source holds; the caller copies the rest, or gives up if it said whole. *shared counts those of them that were not copied. */
enum reason engine_share(void *to, const void *from, size_t size, const void *caller, bool whole, size_t *done, size_t *shared);
/* Seals the range. *shown counts the bytes of it that show a store afterwards. */
enum reason engine_seal(void *start, size_t size, size_t *shown);

/* Lets whole pages that are equal in both ranges show one page of a store. With all every page is read; without it a sample is read first,
   and the rest only where the sample has equal pages. */
enum reason engine_merge(const void *a, const void *b, size_t size, bool all);

enum engine_hint {
    HINT_EXCLUDE, /* no copy from or to these blocks is shared */
    HINT_REWRITE, /* such copies are shared only where the program asks for it by name */
    HINT_NONE,    /* takes both back */
};
int engine_hint(void *start, size_t size, enum engine_hint hint);

/* Counts the bytes of the range that have private pages in *own, and those that show a store or a file in *shown. The rest are holes. */
int engine_residency(const void *start, size_t size, uint64_t *own, uint64_t *shown);

/* What the caller of engine_compare() has still to read to find out which pages of a range differ. */
enum engine_look {
    LOOK_BOTH,     /* both sides */
    LOOK_NONE,     /* nothing: every page of it differs */
    LOOK_A_STORED, /* both sides, but a by engine_differs(), which reads its store without a page fault for each few pages */
    LOOK_B_STORED, /* likewise, b */
    LOOK_A,        /* a alone, because what b shows was read from its store; never returned to the caller */
    LOOK_B,        /* likewise, b */
};
struct engine_range {
    size_t offset, size;
    enum engine_look look;
};
/* Finds the parts of two ranges that may differ. Fills ranges[] in rising order, and returns how far they reach: at least one page, and at
   most size. What is not in ranges[] up to there is the same in both, if nobody writes meanwhile. Without read no byte of either is read.
   With it single pages are compared here, because we can read the store where the caller would pay for a page fault. */
size_t engine_compare(const void *a, const void *b, size_t size, bool read, struct engine_range *ranges, size_t max, size_t *count);
/* Compares up to ENGINE_DIFFERS_PAGES whole pages with others that show a store and have not been touched yet. The latter are read from the
   store's file, so that the kernel need not map them. Sets a bit in *pages for each page that differs. False: the caller must compare them
   in place. */
#define ENGINE_DIFFERS_PAGES 32
bool engine_differs(const void *memory, const void *stored, size_t size, uint64_t *pages);

struct engine_figures {
    uint64_t blocks, registered, views, stores, store_bytes;
    uint64_t plain_copies, plain_bytes;
};
int engine_figures(struct engine_figures *figures);

#endif
