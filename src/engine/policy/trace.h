/* SPDX-License-Identifier: MIT */
/* What is remembered of a copy, in its target and in its source, until it is known what became of it. */
#ifndef COWSHIM_ENGINE_TRACE_H
#define COWSHIM_ENGINE_TRACE_H

#include "engine/policy/history.h"

#define TRACE_SAMPLES 4

/* A page that is copied plainly: no kernel tells whether it was rewritten, but its bytes do. */
struct trace_sample {
    uintptr_t page;
    uint64_t sum;
};

struct trace {
    uintptr_t start;  /* the first whole page */
    size_t pages;     /* 0: there was no copy */
    uint64_t shared;  /* slices of it that were */
    bool open;        /* its fate is not known yet */
    bool skipped;     /* and nobody will look: it is taken to be as always */
    bool known;       /* a history knew what to expect */
    bool huge;        /* it is shown in huge pages */
    unsigned sampled; /* how many samples there are */
    struct origin place;
    int64_t lost; /* what it has cost by now more than without us; of the target only */
    struct trace_sample samples[TRACE_SAMPLES];
};

#endif
