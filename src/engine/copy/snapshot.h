/* SPDX-License-Identifier: MIT */
/* The copy: makes one range show what another shows, by mapping. See src/README.md, "life of a copy". */
#ifndef COWSHIM_ENGINE_SNAPSHOT_H
#define COWSHIM_ENGINE_SNAPSHOT_H

#include "engine/block/block.h"
#include "engine/policy/judge.h"
#include "engine/report/counters.h"
#include "engine/report/observe.h"

/* What is asked for, and what came of it. */
struct snapshot {
    struct block *from, *to;  /* both locks held */
    uintptr_t source, target; /* page-aligned, not overlapping */
    size_t size;
    struct origin place; /* where the policy learns; keys of 0: it is not asked */
    size_t done;         /* leading bytes that are done: the target holds what the source holds, but for plain slices */
    uint64_t plain;      /* slices (history.h) of all of it that are for the caller to copy, into memory that is there */
    uint64_t filled;     /* slices in which the target had pages of its own before */
    size_t plain_bytes;  /* of what is done */
    size_t copied;       /* bytes of what is done that were copied here */
    /* Broken off because somebody waits: to be asked for again, as it is, when they have had their turn. Needs no locks meanwhile. */
    bool again;
    struct judgement judgement; /* snapshot.c's, while it is broken off, like all below */
    bool fresh;
    uint64_t spent, sealing; /* nanoseconds */
};

/* Makes the target show what the source does. REASON_none, or what stopped it short: the rest of the target is unspecified and for the
   caller to copy; the source is unchanged in any case. */
enum reason snapshot_range(struct snapshot *snapshot);
/* What would stop it before the first page, without doing anything; and what the policy would be asked with. */
enum reason snapshot_judge(const struct snapshot *snapshot, struct observed_verdict *verdict);

#endif
