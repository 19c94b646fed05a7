/* SPDX-License-Identifier: MIT */
/* System calls of ours that fail on purpose, so that tests see what becomes of a program then.
   COWSHIM_INTERNAL=fail=N makes the N-th call since start fail, unexecuted, fail-from=N that and every later one, fail-site=S all that
   are made from one place (its distance from sys_call() in bytes); fail-errno=E says with which error, else it is ENOMEM.
   Each is said at LOG=info, with the place. */
#ifndef COWSHIM_BASE_FAULT_H
#define COWSHIM_BASE_FAULT_H

#include <stdbool.h>

/* Reads the switches; until then nothing fails. */
void fault_init(void);
/* For a test: the n-th call from now fails (0: none), and all later ones if sticky. */
void fault_at(unsigned long n, bool sticky);

#endif
