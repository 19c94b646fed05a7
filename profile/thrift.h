/* SPDX-License-Identifier: MIT */
/* Observing may take a few hundredths of the time of the program. A purse is filled as time goes by, and what one kind of work takes
   is paid from it; when it is empty, copies that are cheap themselves go unseen, and are counted by the next one that is seen. */
#ifndef COWSHIM_PROFILE_THRIFT_H
#define COWSHIM_PROFILE_THRIFT_H

#include <stdbool.h>
#include <stdint.h>

struct purse {
    uint64_t share;         /* one part in this many of the time */
    uint64_t gift;          /* and so many nanoseconds at the start: short programs are seen whole */
    _Atomic uint64_t spent; /* ns */
};

void thrift_start(void);                /* also in a forked child */
void purse_refill(struct purse *purse); /* as at the start: in a forked child */
bool purse_affords(struct purse *purse);
uint64_t purse_left(struct purse *purse);            /* ns */
void purse_pay(struct purse *purse, uint64_t since); /* for the time since then, as clock_now() told it */

#endif
