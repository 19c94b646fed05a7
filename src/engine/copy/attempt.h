/* SPDX-License-Identifier: MIT */
/* The attempt to share a copy: whether its addresses and blocks allow it, and the look at both. */
#ifndef COWSHIM_ENGINE_ATTEMPT_H
#define COWSHIM_ENGINE_ATTEMPT_H

#include "base/page.h"
#include "engine/block/block.h"
#include "engine/copy/snapshot.h"
#include "engine/process/entry.h"
#include "engine/report/counters.h"
#include "engine/report/observe.h"

struct copy {
    uintptr_t to, from;
    size_t size;
    struct origin place;           /* keys of 0: the program wants it shared, whatever the policy says */
    struct block *target, *source; /* held, or NULL */
    struct observed_verdict verdict;
    struct snapshot snapshot; /* of its whole pages */
};

bool attempt_overlaps(const struct copy *copy);
/* Finds the blocks, and maps what may be shared. *done: the leading bytes of the whole pages that are done, but for the plain slices, which
   are for the caller, like all else. Inside. Both blocks are held afterwards, where they were found. */
enum reason attempt_sharing(struct copy *copy, size_t *done);
/* Goes on with one that was broken off because somebody waits, as often as it takes. False: we are no longer inside; what is left is for
   the caller to copy. */
bool attempt_to_end(struct copy *copy, struct entry *entry, size_t *done, enum reason *why);
/* Whether what will be copied plainly is enough to measure, and goes from and to pages that have long been there, so that the time it takes
   is that of copying. One page on each side tells. Inside. */
bool attempt_in_use(const struct copy *copy);
/* Tells the log, an observer and the exported page what became of it, and lets go of the blocks. Inside. caller: the place in the
   program. */
void attempt_end(struct copy *copy, enum reason why, size_t done, const void *caller);

#endif
