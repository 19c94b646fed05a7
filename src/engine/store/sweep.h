/* SPDX-License-Identifier: MIT */
/* The look at one store: which of its pages no view shows is asked of the kernel, and those are punched. Who looks, and when, is
   decided in reclaim.c, which holds the sweep lock. */
#ifndef COWSHIM_ENGINE_SWEEP_H
#define COWSHIM_ENGINE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/block/block.h"
#include "engine/store/extent.h"
#include "engine/store/store.h"

struct view {
    struct extent *extent;
    struct block *block; /* held: the record stays while we look at it */
};

struct sweep {
    struct store *store;
    struct store_picture picture;
    struct view *views; /* by rising offset */
    size_t count;
    uint64_t end;      /* what lies beyond is not looked at */
    uint64_t deadline; /* of usage_now(), as long as nothing was found */
    uint64_t freed;
};

/* From *at, a multiple of eight pages, to the end; views are a scratch buffer, and freed grows by the bytes given back. False: the
   store cannot be swept now (shown by another process, being written, one of its blocks in use). *whole: false when cut short, and *at is where to
   go on. */
bool sweep_part(struct sweep *sweep, uint64_t *at, uint64_t end, bool *whole);

#endif
