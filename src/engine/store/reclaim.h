/* SPDX-License-Identifier: MIT */
/* Dead pages: pages of a store that nobody sees, because no view shows them or every view hides them behind private pages. They
   are found by asking the kernel about the views, and given back by punching holes. There is no thread of ours: the work is done
   at the end of our own operations, when faults or ended views say that there may be something, and for a bounded time.
   Inherited stores are left alone. */
#ifndef COWSHIM_ENGINE_RECLAIM_H
#define COWSHIM_ENGINE_RECLAIM_H

#include <stdint.h>

/* After an operation, with no lock held. */
void reclaim_event(void);
/* The next event looks at all stores, however little can have died. */
void reclaim_demand(void);
/* What these pages show was overwritten because it was a secret: what nobody sees any more is punched now, or, where another thread is
   at work, at the next event. With no lock held. */
void reclaim_wiped(uintptr_t start, uintptr_t end);

#endif
