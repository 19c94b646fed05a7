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

/* The generation in which stores are made now; NULL when there is no memory for it. */
struct generation *generation_now(void);
void generation_join(struct generation *generation);
/* A store of it is gone. With the last one its witness is unmapped, so that no other process waits for us. */
void generation_leave(struct generation *generation);
/* Whether another process shows its stores. To be asked after looking for dead pages and before giving them back: a process that is copied
   from us later sees no more of them than we do. */
enum witness_says generation_ask(struct generation *generation);
/* Whether we are alone again with a generation in which something could not be given back. */
bool generation_regained(void);
/* Whether there is a generation in which something could not be given back. */
bool generation_missed(void);
/* There was a fork: stores made from now on belong to a new generation. Takes no memory. No operation is under way. */
void generation_end(void);

#endif
