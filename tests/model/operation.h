/* SPDX-License-Identifier: MIT */
/* The operations, by what they are about. Each is done to the block and to its picture, and some bytes are compared. */
#ifndef COWSHIM_TESTS_OPERATION_H
#define COWSHIM_TESTS_OPERATION_H

#include "world.h"

/* run_allocation.c */
void run_alloc(struct world *world, struct slot *slot, const struct op *op);
void run_free(struct slot *slot);
void run_realloc(struct world *world, struct slot *slot, const struct op *op);
void run_usable(struct world *world, struct slot *slot);

/* run_copy.c */
void run_copy(struct world *world, struct slot *to, const struct slot *from, const struct op *op);
void run_overlap(struct world *world, struct slot *slot, const struct op *op);
void run_merge(struct world *world, struct slot *slot, const struct slot *like, const struct op *op);

/* run_memory.c */
void run_write(struct slot *slot, const struct op *op);
void run_fill(struct world *world, struct slot *slot, const struct op *op);
void run_madvise(struct world *world, struct slot *slot, const struct op *op);
void run_syscall(struct world *world, struct slot *slot, const struct op *op);
void run_protect(struct world *world, struct slot *slot, struct slot *other, const struct op *op);
void run_lock(struct world *world, struct slot *slot, struct slot *other, const struct op *op);
void run_remap(struct world *world, struct slot *slot, struct slot *other, const struct op *op);

/* run_actor.c */
void run_actor(struct world *world, struct slot *slot, struct slot *other, const struct op *op);

/* run_fork.c */
void run_fork(struct world *world, const struct op *op);
/* Waits for one child of ours, which must have ended well. */
void world_reap(struct world *world, int i);

#endif
