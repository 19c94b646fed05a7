/* SPDX-License-Identifier: MIT */
/* Which slices of a copy to share: a pure function of what is known of earlier copies, of what things cost, and of what a run without us would
   have paid. No system call, no state. */
#ifndef COWSHIM_ENGINE_JUDGE_H
#define COWSHIM_ENGINE_JUDGE_H

#include "base/config.h"
#include "engine/policy/history.h"
#include "engine/policy/ledger.h"
#include "kernel/costs.h"

struct facts {
    enum config_policy policy;
    size_t pages;                  /* whole pages in the copy */
    bool fresh;                    /* without us its target would have no pages yet: malloc had it from the kernel, and nobody touched it */
    bool huge;                     /* and the kernel gives huge pages there */
    bool huge_store;               /* what has to be sealed goes there, */
    bool huge_views;               /* and the target shows it in huge pages: reading it costs nothing */
    uint64_t filled;               /* slices in which the target has pages of its own */
    const uint32_t *private_pages; /* of the source, by slice: to be sealed, or copied. NULL: not known yet */
    int64_t purse;                 /* nanoseconds that may be lost; PURSE_OPEN or more: any */
};

struct judgement {
    uint64_t shared; /* slices */
    int64_t native;  /* what these would cost without us, in nanoseconds */
    bool known;      /* by a history */
};

/* The histories that know most of the copy's targets and of its source; NULL: none does. */
struct judgement judge_slices(const struct facts *facts, const struct costs *costs, const struct history *target,
                              const struct history *source);

#endif
