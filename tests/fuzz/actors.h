/* SPDX-License-Identifier: MIT */
/* Those who hold or fill memory beside the program: a ring, a pager, KSM, policies of where pages lie, a pipe that pages are spliced into. */
#ifndef COWSHIM_TESTS_FUZZ_ACTORS_H
#define COWSHIM_TESTS_FUZZ_ACTORS_H

#include "slots.h"

/* The input says who, and copies are made while he has the slot's memory. A receive that is posted stays so during the next operations. */
void actor_act(struct slot *slot, struct slot *other);
/* What was posted arrives: before its memory goes elsewhere. */
void actor_deliver(void);
/* Whatever is still under way. */
void actors_end(void);
/* In a child, which has no ring. */
void actors_after_fork(void);

#endif
