/* SPDX-License-Identifier: MIT */
/* What malloc keeps of freed blocks. The memory of a block in the heap stays with the process until the heap shrinks or something else is
   put there; under the shim only what was not shared does, because the views go when the block is freed. */
#ifndef COWSHIM_COMMAND_REMAINS_H
#define COWSHIM_COMMAND_REMAINS_H

#include "command/trail/world.h"

/* The block is freed. To be called before its cells are cleared. */
void remains_add(struct world *world, const struct world_block *block, const struct trail_block *freed);
/* Memory was measured: what lies beyond the end of the heap is gone. */
void remains_measured(struct world *world, uint64_t heap);
/* The range is in use again. */
void remains_used(struct world *world, uint64_t start, uint64_t end);
/* So is that of the block that was added last. */
void remains_use_added(struct world *world);
/* Adds to each copy what is saved of what it wrote. */
void remains_attribute(const struct world *world);
void remains_free(struct world *world);

#endif
