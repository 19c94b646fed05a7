/* SPDX-License-Identifier: MIT */
/* Where the program is: the native stack, and the interpreter's. Taken before the engine's gate and all locks (the unwinder may ask
   the dynamic linker), kept for the thread, and given a number later, under the observer's lock. */
#ifndef COWSHIM_PROFILE_STACK_H
#define COWSHIM_PROFILE_STACK_H

#include <stdint.h>

void stack_init(void);
void stack_look(void);
void stack_forget(void); /* instead: nothing is known */
/* The number of what was last seen, and its description in the trail if it is new. 0: nothing is known. */
uint32_t stack_number(void);
/* Numbers begin anew with a new trail. */
void stack_after_fork(void);

#endif
