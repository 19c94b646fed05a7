/* SPDX-License-Identifier: MIT */
#include "profile/thrift.h"

#include <stdatomic.h>

#include "profile/clock.h"

/* What takes longer was interrupted by others. */
#define LONGEST UINT64_C(200000) /* ns */

static uint64_t started_at;

void thrift_start(void)
{
    started_at = clock_now();
}

void purse_refill(struct purse *purse)
{
    atomic_store_explicit(&purse->spent, 0, memory_order_relaxed);
}

uint64_t purse_left(struct purse *purse)
{
    uint64_t filled = purse->gift + (clock_now() - started_at) / purse->share;
    uint64_t spent = atomic_load_explicit(&purse->spent, memory_order_relaxed);

    return filled > spent ? filled - spent : 0;
}

bool purse_affords(struct purse *purse)
{
    return purse_left(purse) > 0;
}

void purse_pay(struct purse *purse, uint64_t since)
{
    uint64_t took = clock_now() - since;

    atomic_fetch_add_explicit(&purse->spent, took < LONGEST ? took : LONGEST, memory_order_relaxed);
}
