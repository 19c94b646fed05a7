/* SPDX-License-Identifier: MIT */
/* Whether memory is short: better slow than dead. */
#ifndef COWSHIM_KERNEL_PRESSURE_H
#define COWSHIM_KERNEL_PRESSURE_H

#include <stdbool.h>
#include <stdint.h>

/* The machine has next to nothing left, the process's memory cgroup is nearly full, or tasks wait for memory. Looked at four times a
   second at most. */
bool pressure_high(void);

/* What the files of the kernel say: /proc/pressure/memory (Documentation/accounting/psi.rst), /proc/meminfo, and the two numbers of a
   cgroup. */
bool pressure_stalls(const char *psi);
bool pressure_machine_full(const char *meminfo);
bool pressure_group_full(uint64_t used, uint64_t limit);

#endif
