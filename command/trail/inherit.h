/* SPDX-License-Identifier: MIT */
/* Pages that are watched from a copy on, in a block that was made by a copy itself. */
#ifndef COWSHIM_COMMAND_INHERIT_H
#define COWSHIM_COMMAND_INHERIT_H

#include "command/trail/world.h"

/* A page of the block is watched for the first time. If the watched pages beside it still are what they were copied from, this one is,
   too: it gets a cell that holds what its original holds, which may have one only from now on. Otherwise nothing is done. */
void inherit(struct world *world, struct world_block *block, uint32_t page, uint32_t hash);

#endif
