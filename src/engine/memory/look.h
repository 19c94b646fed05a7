/* SPDX-License-Identifier: MIT */
/* The look around, once in every operation that replaces pages: who else is there that writes to memory of this process, or holds it?
   Whoever replaces pages (to seal, show, drop, take over) has one of these and asks before the first step. */
#ifndef COWSHIM_ENGINE_LOOK_H
#define COWSHIM_ENGINE_LOOK_H

#include <stdbool.h>

#include "engine/report/counters.h"
#include "kernel/write_guard.h"

struct look {
    const struct write_guard *guard; /* what holds writers off; NULL until somebody looked, and while the answer is no */
};

/* REASON_none: pages may be replaced while look->guard holds writers off them. Else the reason why not, and the pages that are there must
   stay where they are. Cheap when it was answered before. */
enum reason look_around(struct look *look);
/* The same for private mappings of files (see write_guard.h). */
enum reason look_around_for_files(struct look *look);
/* The same for what shows a store now: no pager has it, for it leaves sharing before one is told of it. */
enum reason look_around_for_views(struct look *look);
/* Whether a page that is not there reads as zero: no pager may fill it. */
bool look_holes_are_zero(void);
/* Whether the kernel may still read pages that no memory shows any more, for somebody whom it was to hand them on to. */
bool look_read_later(void);

#endif
