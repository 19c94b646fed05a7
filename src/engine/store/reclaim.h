/* SPDX-License-Identifier: MIT */
/* Dead pages: pages of a store that nobody sees, because no view shows them or every view hides them behind private pages. A sweep asks the
   kernel which pages the views still show, and punches holes for the others. There is no thread of ours: sweeps take place at the end of
   our own operations, when page faults or ended views say that something can have died, and they are bounded in time. Stores that another
   process may show are left alone. */
#ifndef COWSHIM_ENGINE_RECLAIM_H
#define COWSHIM_ENGINE_RECLAIM_H

#include <stdbool.h>
#include <stdint.h>

/* After an operation, with no lock held. */
void reclaim_event(void);
/* The process has no store yet: the page faults that it has had cannot have killed a page of one. */
void reclaim_first_store(void);
/* Whether no event sweeps at that time, because the last sweep found nothing. */
bool reclaim_rests(uint64_t now);
/* The next event looks at all stores, however little can have died. */
void reclaim_demand(void);
/* The program overwrote these pages because they held a secret. The pages of the store that they had shown are punched now if nobody else
   sees them, or at the next event if another thread is at work there. With no lock held. */
void reclaim_wiped(uintptr_t start, uintptr_t end);

#endif
