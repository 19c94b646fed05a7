/* SPDX-License-Identifier: MIT */
/* What sharing saves, for the summary of COWSHIM_STATS; without that, nothing here does anything. The kernel is asked which pages of the
   views are still shared, for at most a sixteenth of the time: after copies, and before memory that shows a store is freed. */
#ifndef COWSHIM_ENGINE_SAVINGS_H
#define COWSHIM_ENGINE_SAVINGS_H

#include <stdint.h>

/* The memory of the process (anonymous memory and stores, in bytes) at the moment at which it would have been largest without us: what it
   was, and how much more it would have been. */
struct savings {
    uint64_t memory, saved;
};

void savings_start(void);
/* Inside of an operation, with no lock held. */
void savings_event(void);
/* Looks once more at the end of the process, however long that takes. */
struct savings savings_peak(void);
/* Counted since the start of the process or, in a child, since the fork. */
uint64_t savings_nanoseconds(void);

#endif
