/* SPDX-License-Identifier: MIT */
/* A few pages stand for all: which ones, and what is in them. The caller holds the observer's lock. */
#ifndef COWSHIM_PROFILE_SAMPLE_H
#define COWSHIM_PROFILE_SAMPLE_H

#include <stdint.h>

#include "profile/block.h"

void sample_init(void);

/* A copy of whole pages, counted from the first of the copy. source: the block that it comes from if its pages are the copy's, else
   NULL; then source_first is where the copy begins in it. Pages that are watched there already are preferred.
   data: where the copy's first page is now. Returns how many samples were taken. */
uint32_t sample_copy(const struct watched *source, uint32_t source_first, uint32_t pages, uintptr_t data,
                     struct trail_sample samples[SAMPLES_OF_COPY]);

/* Looks again at the samples of a block with pages in [first, end); those that changed are listed and remembered. Touches no memory
   that is not there. */
uint32_t sample_again(struct watched *block, uint32_t first, uint32_t end, struct trail_sample changed[SAMPLES_MOST]);

#endif
