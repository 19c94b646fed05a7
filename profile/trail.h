/* SPDX-License-Identifier: MIT */
/* The trail of this process; see format.h. It keeps no descriptor open: programs close what they do not know. The caller holds the
   observer's lock. */
#ifndef COWSHIM_PROFILE_TRAIL_H
#define COWSHIM_PROFILE_TRAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "profile/format.h"

/* folder: where the files go; it stays the caller's. */
void trail_init(const char *folder);
/* False until the first event, and again in a forked child: then trail_open() makes the file of this process. */
bool trail_is_open(void);
bool trail_open(void);
void trail_after_fork(void);

/* Room for an event, zeroed but for its size, time and memory; NULL when there is none. Fill it in and finish it. */
void *trail_add(size_t size);
void trail_finish(void *event, enum trail_type type, unsigned flags);

#endif
