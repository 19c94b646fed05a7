/* SPDX-License-Identifier: MIT */
/* The sweep of one store: asks the kernel which pages its views still show, and punches the others. reclaim.c decides when that is done,
   and holds the sweep lock meanwhile. */
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
    uint64_t end;      /* nothing beyond it is looked at */
    uint64_t deadline; /* by usage_now(): see sweep_over() */
    uint64_t freed;    /* bytes given back */
    bool deserted;     /* nothing of it is shared any more, and it is not expected to be */
};

/* Sweeps from *at, a multiple of eight pages, to the end. sweep->views is a scratch buffer. False: the store cannot be swept now, because
   another process shows it, somebody writes to it, or one of its blocks is in use. *whole is false when the sweep was cut short, and *at is
   where to go on. */
bool sweep_part(struct sweep *sweep, uint64_t *at, uint64_t end, bool *whole);
/* Whether to end it after what was looked at and given back so far: it found nothing until the deadline, or somebody waits. A deadline of
   UINT64_MAX never ends it. */
bool sweep_over(uint64_t freed, uint64_t deadline);

#endif
