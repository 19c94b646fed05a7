/* SPDX-License-Identifier: MIT */
/* What freed blocks leave in their memory, for the next ones there: malloc recycles memory that was touched, and where we dropped views it
   is empty because of us. */
#ifndef COWSHIM_ENGINE_REMAINS_H
#define COWSHIM_ENGINE_REMAINS_H

#include "engine/block/block.h"

/* A block that left the registry. */
void remains_leave(const struct block *block);
/* One that nobody knows yet begins with what the last one there left. */
void remains_enter(struct block *block);

#endif
