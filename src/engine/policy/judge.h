/* SPDX-License-Identifier: MIT */
/* The judgement which slices of a copy to share: a pure function of what earlier copies came to, of what things cost on this machine, and
   of what a run without us would pay. No system call, no state. */
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
    bool huge;                     /* the kernel would fill the target with huge pages */
    bool huge_store;               /* sealed pages go to a store of huge pages */
    bool huge_views;               /* the target will show that in huge pages, so that reading it costs no faults */
    uint64_t filled;               /* slices in which the target has pages of its own */
    bool covered;                  /* the target shows what a copy of another range put there: so it will the next time */
    uint64_t unread;               /* slices of the source that show a store and were not read since, as far as we know */
    uint64_t same;                 /* slices in which the target shows what the source shows: nothing has to be mapped */
    const uint32_t *private_pages; /* how many private pages each slice of the source has; NULL: not known yet */
    int64_t purse;                 /* nanoseconds that this copy may lose; PURSE_OPEN or more: any number */
};

struct judgement {
    uint64_t shared; /* slices */
    uint64_t same;   /* of these, the ones that need no mapping */
    int64_t native;  /* what copying these would cost without us, in nanoseconds */
    int64_t change;  /* what the others cost more than without us, because pages have to be made or read that would be there */
    bool ruined;     /* nothing is shared, because what was lost with the history is more than a change to plain copies costs */
    bool known;      /* a history was used */
};

/* target and source: the most specific histories that have something on targets and on sources; NULL: there is none. */
struct judgement judge_slices(const struct facts *facts, const struct costs *costs, const struct history *target,
                              const struct history *source);

#endif
