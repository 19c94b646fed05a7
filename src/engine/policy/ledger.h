/* SPDX-License-Identifier: MIT */
/* The books of sharing: what it cost more than a run without it, against the processor time of the process. Pure. */
#ifndef COWSHIM_ENGINE_LEDGER_H
#define COWSHIM_ENGINE_LEDGER_H

#include <stdint.h>

/* Memory is short, and any loss of time is better than that. */
#define PURSE_OPEN (INT64_MAX / 4)

struct ledger {
    uint64_t lost, won; /* nanoseconds, of copies whose fate is known */
};

/* What may be lost now, of a process that has used so much processor time, and of what was won, by our own estimate, a half; 0: nothing. */
int64_t ledger_purse(const struct ledger *ledger, uint64_t processor_ns);
/* A copy cost so much more than it would have without us; less, where it is negative. */
void ledger_enter(struct ledger *ledger, int64_t nanoseconds);

#endif
