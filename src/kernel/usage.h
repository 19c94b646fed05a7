/* SPDX-License-Identifier: MIT */
/* What the kernel tells cheaply of time and faults. */
#ifndef COWSHIM_KERNEL_USAGE_H
#define COWSHIM_KERNEL_USAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Minor faults of the process so far (getrusage(2)): each makes at most one page of a view private. 0 when not known. */
uint64_t usage_faults(void);
/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t usage_now(void);
/* CLOCK_BOOTTIME likewise. */
uint64_t usage_since_boot(void);
/* Nanoseconds that this thread has spent on a processor so far. */
uint64_t usage_spent(void);
/* The same for all threads of the process together. */
uint64_t usage_processor(void);
/* Bytes of anonymous memory that the process has now; 0 when not known. */
uint64_t usage_anonymous(void);
/* Whether the kernel gives huge pages to all anonymous memory (transparent_hugepage/enabled is always). It is read once. */
bool usage_huge_always(void);

#endif
