/* SPDX-License-Identifier: MIT */
/* Dead pages: pages of a store that nobody sees, because no view shows them or every view hides them behind private pages. They
   are found by asking the kernel about the views, and given back by punching holes. There is no thread of ours: the work is done
   at the end of our own operations, when faults or ended views say that there may be something, and for a bounded time.
   Inherited stores are left alone. */
#ifndef COWSHIM_ENGINE_RECLAIM_H
#define COWSHIM_ENGINE_RECLAIM_H

/* After an operation, with no lock held. */
void reclaim_event(void);

#endif
