/* SPDX-License-Identifier: MIT */
#include "engine/policy/ledger.h"

#include "base/poison.h"

#define GIFT 20000000 /* what a program may lose while it begins */
#define TWENTIETH 20

int64_t ledger_purse(const struct ledger *ledger, uint64_t processor_ns)
{
    int64_t left = GIFT + (int64_t)(processor_ns / TWENTIETH + ledger->won / 2) - (int64_t)ledger->lost;

    return left > 0 ? left : 0;
}

void ledger_enter(struct ledger *ledger, int64_t nanoseconds)
{
    if (nanoseconds > 0)
        ledger->lost += (uint64_t)nanoseconds;
    else
        ledger->won += (uint64_t)-nanoseconds;
}
