/* SPDX-License-Identifier: MIT */
/* The private runs of a source on their way into stores: long ones are sealed, short ones stay, to be copied. What that costs adds up. */
#ifndef COWSHIM_ENGINE_CONSOLIDATE_H
#define COWSHIM_ENGINE_CONSOLIDATE_H

#include "engine/block/block.h"
#include "kernel/pagemap.h"
#include "kernel/write_guard.h"

struct consolidation {
    struct block *from, *to;         /* the copy's; both locks held */
    const struct write_guard *guard; /* holds writers off the source */
    uint64_t spent;                  /* grows by the nanoseconds that sealing took */
};

/* Private runs too short to seal are left in runs[]; when copying them has cost as much as sealing all from the first to the last anew,
   that is done instead. Returns how many are left; *error as in seal.h. */
size_t consolidate_runs(struct consolidation *work, struct page_run *runs, size_t count, int *error);

#endif
