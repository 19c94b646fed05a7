/* SPDX-License-Identifier: MIT */
/* Which file is mapped where, for the names of native stacks. The caller holds the observer's lock. */
#ifndef COWSHIM_PROFILE_MAPS_H
#define COWSHIM_PROFILE_MAPS_H

#include <stdbool.h>
#include <stdint.h>

/* Writes /proc/self/maps into the trail if one of these addresses is in no mapping that was written before. True: it did. */
bool maps_cover(const uintptr_t *addresses, unsigned count);
void maps_after_fork(void);

#endif
