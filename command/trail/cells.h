/* SPDX-License-Identifier: MIT */
/* The cells of blocks, and the versions that they hold. What is saved is kept up with them. */
#ifndef COWSHIM_COMMAND_CELLS_H
#define COWSHIM_COMMAND_CELLS_H

#include "command/trail/world.h"

/* The cell holds this version, too. weight: the bytes that its page stands for. */
void version_add_holder(struct world *world, struct world_cell *cell, struct version *version, double weight);
void version_drop_holder(struct world *world, struct world_cell *cell);
/* The cell holds something new. */
void version_begin(struct world *world, struct world_cell *cell, double weight);

/* Where the cell of a page is, or would be. */
uint32_t cell_index(const struct world_block *block, uint32_t page);
bool cell_is(const struct world_block *block, uint32_t index, uint32_t page);
/* The cell of a page; a new one where there was none. NULL: out of memory. */
struct world_cell *cell_at(struct world *world, struct world_block *block, uint32_t page);

#endif
