/* SPDX-License-Identifier: MIT */
/* Puts events into the trail, as far as there is room. The caller holds the observer's lock. */
#ifndef COWSHIM_PROFILE_TELL_H
#define COWSHIM_PROFILE_TELL_H

#include <stdbool.h>

#include "profile/format.h"

void tell_begin(bool apply);
/* what: all but its head. what->samples says how many samples follow. */
void tell_block(enum trail_type type, unsigned flags, const struct trail_block *what, const struct trail_sample *samples);
void tell_copy(const struct trail_copy *what, const struct trail_sample *samples);
void tell_end(void);

#endif
