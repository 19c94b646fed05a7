/* SPDX-License-Identifier: MIT */
/* Keeps the calling thread's signals away while we hold locks: a handler could jump out of us (siglongjmp) or copy memory. The
   synchronous ones stay open, for a blocked SIGSEGV kills. */
#ifndef COWSHIM_KERNEL_SIGNALS_H
#define COWSHIM_KERNEL_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

uint64_t signals_block(void); /* the mask before, for signals_restore */
void signals_restore(uint64_t mask);
/* Whether one is pending that this mask lets through. */
bool signals_pending(uint64_t mask);

#endif
