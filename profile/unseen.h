/* SPDX-License-Identifier: MIT */
/* Copies that nobody looked at, because there was no time left for it. The next one that is seen stands for them; the last one that
   was seen stands for what is left at the end. All but the count needs the observer's lock. */
#ifndef COWSHIM_PROFILE_UNSEEN_H
#define COWSHIM_PROFILE_UNSEEN_H

#include <stddef.h>

#include "profile/format.h"

struct unseen {
    _Atomic uint32_t copies;
    _Atomic uint64_t bytes;
    struct trail_copy last;
};

void unseen_count(struct unseen *unseen, size_t size);
void unseen_stand_for(struct unseen *unseen, struct trail_copy *copy);
void unseen_tell(struct unseen *unseen);

#endif
