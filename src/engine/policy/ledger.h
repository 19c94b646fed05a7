/* SPDX-License-Identifier: MIT */
/* The ledger: how much time sharing has lost and won against a run without it, which bounds what further tries may lose. Pure. */
#ifndef COWSHIM_ENGINE_LEDGER_H
#define COWSHIM_ENGINE_LEDGER_H

#include <stdint.h>

/* A purse for when memory is short, and any loss of time is better than that. */
#define PURSE_OPEN (INT64_MAX / 4)

struct ledger {
    uint64_t lost, won; /* nanoseconds, of copies whose fate is known */
};

/* The time that sharing may lose now: a fixed gift, a twentieth of the processor time that the process has used, and half of what sharing
   has won by our own estimate, less what it has lost. Never negative. */
int64_t ledger_purse(const struct ledger *ledger, uint64_t processor_ns);
/* Books what a copy cost more than it would have without us; a negative number is a gain. */
void ledger_enter(struct ledger *ledger, int64_t nanoseconds);

#endif
