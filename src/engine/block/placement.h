/* SPDX-License-Identifier: MIT */
/* Where in a page a block starts. Arrays fill their block from its start on; the bytes of Python's bytes object begin a header behind it.
   For both to be congruent the blocks of such objects start that header before a page boundary. Who asks for memory of which kind is
   guessed by the shim, and learned from copies: one from or to a page boundary whose other end lies a header behind the start of its block
   says that this block should have started so much earlier, and one at the very start of a block that did says that it should not. */
#ifndef COWSHIM_ENGINE_PLACEMENT_H
#define COWSHIM_ENGINE_PLACEMENT_H

#include "engine/block/block.h"

/* A large copy is not shared, for its addresses differ modulo the page. target: held, or NULL. Needs no lock. */
void placement_learn(const struct block *target, uintptr_t to, uintptr_t from, size_t size);

#endif
