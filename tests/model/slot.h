/* SPDX-License-Identifier: MIT */
/* A slot: a block of the program's and the oracle's picture of it. What is written to one is written to the other; what they
   hold is compared by loops that the shim does not see. */
#ifndef COWSHIM_TESTS_SLOT_H
#define COWSHIM_TESTS_SLOT_H

#include "world.h"

/* Room for a picture of that size; what was in it stays. */
void slot_room(struct world *world, struct slot *slot, size_t size);
/* The picture of [start, end) becomes what the block holds there: what a fresh block holds is whatever it holds. */
void slot_take_over(struct slot *slot, size_t start, size_t end);
void slot_write(struct slot *slot, size_t start, size_t size, uint64_t seed);

/* Ends the process where block and picture differ; the text says after what. */
void slot_compare(struct world *world, const struct slot *slot, size_t start, size_t size, const char *what);
/* Some bytes, or all. Reading a hole changes its state: mostly only some. */
void slot_check(struct world *world, const struct slot *slot, uint64_t seed, const char *what);
/* Counts whether a file is mapped in the block: only the shim does that (but for OP_REMAP, which undoes it). */
void slot_look_for_views(const struct slot *slot);

/* A range of a slot: whole pages, or any; long ones are frequent. */
void slot_pick_range(const struct slot *slot, const struct op *op, size_t *start, size_t *size);

#endif
