/* SPDX-License-Identifier: MIT */
/* Cheap hints of the kernel. */
#ifndef COWSHIM_KERNEL_USAGE_H
#define COWSHIM_KERNEL_USAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Minor faults of the process so far (getrusage(2)): each makes at most one page of a view private. 0 when not known. */
uint64_t usage_faults(void);
/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t usage_now(void);
/* Nanoseconds that this thread has been on a processor. */
uint64_t usage_spent(void);
/* And all threads of the process so far. */
uint64_t usage_processor(void);
/* Whether anonymous memory gets huge pages unasked (transparent_hugepage/enabled is always). Read once. */
bool usage_huge_always(void);

#endif
