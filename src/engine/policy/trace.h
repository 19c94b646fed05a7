/* SPDX-License-Identifier: MIT */
/* A trace: what the target and the source of a copy remember of it until it is known what became of it. */
#ifndef COWSHIM_ENGINE_TRACE_H
#define COWSHIM_ENGINE_TRACE_H

#include "engine/policy/history.h"

#define TRACE_SAMPLES 4

/* A page that was copied plainly. The kernel cannot tell whether it was rewritten, but a checksum of its bytes can. */
struct trace_sample {
    uintptr_t page;
    uint64_t sum;
};

struct trace {
    uintptr_t start;  /* the first whole page */
    size_t pages;     /* 0: there was no copy */
    uint64_t shared;  /* the slices that were shared */
    uint64_t same;    /* of these, the ones in which nothing had to be mapped: pages that are there may have been read long ago */
    bool open;        /* what becomes of it is not known yet */
    bool skipped;     /* open, but it will not be looked at: it is expected to end as the others did */
    bool known;       /* as in its judgement */
    bool huge;        /* it is shown in huge pages */
    unsigned sampled; /* the number of samples */
    struct origin place;
    int64_t lost; /* what it has cost so far more than it would have without us; in the target's trace only */
    struct trace_sample samples[TRACE_SAMPLES];
};

#endif
