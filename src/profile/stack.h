/* SPDX-License-Identifier: MIT */
/* Where the program is: the native stack, and the interpreter's. Taken before the engine's gate and all locks (the unwinder may ask
   the dynamic linker), kept for the thread, and given a number later, under the observer's lock. */
#ifndef COWSHIM_PROFILE_STACK_H
#define COWSHIM_PROFILE_STACK_H

#include <stdbool.h>
#include <stdint.h>

void stack_init(void);
void stack_look(void);
/* The number of what was last seen, and its description in the trail if it is new. 0: nothing is known. */
uint32_t stack_number(void);
/* Numbers begin anew with a new trail. */
void stack_after_fork(void);

/* Copies that are too small to matter are looked at as long as that takes little time; the others stand in line. */
bool stack_affords_small(void);

#endif
