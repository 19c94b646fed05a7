/* SPDX-License-Identifier: MIT */
/* What became of a copy: how many of its pages were rewritten, as the kernel tells of those that were shared, and sums of a few pages of
   those that were copied plainly. */
#ifndef COWSHIM_ENGINE_FINDING_H
#define COWSHIM_ENGINE_FINDING_H

#include "engine/policy/fate.h"

/* What was found in one copy. */
struct finding {
    struct fate fate;
    size_t asked, written, read; /* pages */
};

/* Nothing is known yet. */
struct finding finding_none(void);
/* What was shared: pages of their own, that also are where views were dropped to write there. */
void finding_look_at_views(const struct trace *trace, struct finding *finding);
/* What was copied plainly, as far as samples were taken. */
void finding_look_at_samples(const struct trace *trace, struct finding *finding);
/* Takes samples of slices that are copied plainly, other ones at each turn. */
void finding_take_samples(const struct venture *venture, struct trace *made, struct trace *given, unsigned turn);

#endif
