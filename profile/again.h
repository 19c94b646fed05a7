/* SPDX-License-Identifier: MIT */
/* Looking again at pages that were seen before: what changed goes into the trail. The caller holds the observer's lock. */
#ifndef COWSHIM_PROFILE_AGAIN_H
#define COWSHIM_PROFILE_AGAIN_H

#include "profile/block.h"

void again_look(struct watched *block, uint32_t first, uint32_t end); /* at the pages [first, end) */
/* Goes round all blocks, as far as there is time for it. */
void again_spend_time(void);
/* At all of them, for the last time, also at those that no copy went into. */
void again_at_end(void);
void again_after_fork(void);

#endif
