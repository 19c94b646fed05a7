/* SPDX-License-Identifier: MIT */
/* Generations: what was made between two forks. A store belongs to the generation in which it was made, and is shown by this process
   alone when the generation's witness is mapped here alone: every process that was copied since has ended, executed another program, or
   let go of all stores of that generation.
   All functions need the stores lock (store.c). */
#ifndef COWSHIM_ENGINE_GENERATION_H
#define COWSHIM_ENGINE_GENERATION_H

#include <stdbool.h>

#include "kernel/witness.h"

struct generation {
    struct witness witness;
    unsigned stores;
    bool missed; /* something could have been given back, had we been alone */
    struct generation *next;
};

/* The one in which stores are made now; NULL when there is no memory for it. */
struct generation *generation_now(void);
void generation_join(struct generation *generation);
/* A store of it is gone; with the last one its witness is, and no other process has to wait for us. */
void generation_leave(struct generation *generation);
/* Whether another process shows its stores. Asked after the look, before something is given back: a process that is copied after that
   sees as little as we do. */
enum witness_says generation_ask(struct generation *generation);
/* Whether we are alone again with one of those in which something was missed. */
bool generation_regained(void);
/* Whether something was missed in any. */
bool generation_missed(void);
/* There was a fork: what is made from now on is younger. Takes no memory; nobody else is at work. */
void generation_end(void);

#endif
