/* SPDX-License-Identifier: MIT */
/* Freed blocks leave word of the state of their memory for the next block there. Without it a block in recycled memory would pass for
   untouched where it only lacks pages because we dropped its views. */
#ifndef COWSHIM_ENGINE_REMAINS_H
#define COWSHIM_ENGINE_REMAINS_H

#include "engine/block/block.h"

/* A block left the registry: remembers the trace of the last copy into it. */
void remains_leave(const struct block *block);
/* A new block, which no other thread knows yet, takes over the trace of the last one at its place. */
void remains_enter(struct block *block);

#endif
