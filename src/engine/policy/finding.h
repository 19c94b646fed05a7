/* SPDX-License-Identifier: MIT */
/* What became of a copy: how many of its pages were rewritten, as the kernel tells of those that were shared, and sums of a few pages of
   those that were copied plainly. */
#ifndef COWSHIM_ENGINE_FINDING_H
#define COWSHIM_ENGINE_FINDING_H

#include "engine/policy/fate.h"

/* What was found in one copy. */
struct finding {
    struct fate fate;
    size_t asked, written; /* pages that were shared, and how many of them were rewritten */
    size_t mapped, read;   /* of the others, those that were mapped for this copy, and how many of these were read */
};

/* Nothing is known yet. */
struct finding finding_none(void);
/* Looks at the slices that were shared. A page that is private now was rewritten, and so was one whose view was dropped for a write. */
void finding_look_at_views(const struct trace *trace, struct finding *finding);
/* Looks at the samples that were taken of slices which were copied plainly. */
void finding_look_at_samples(const struct trace *trace, struct finding *finding);
/* Takes samples of slices that are copied plainly, other ones at each turn. */
void finding_take_samples(const struct venture *venture, struct trace *made, struct trace *given, unsigned turn);

#endif
