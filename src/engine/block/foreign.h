/* SPDX-License-Identifier: MIT */
/* Foreign blocks: memory that does not come from the program's allocator through us (registered, or a mapping of the program with
   COWSHIM_SCOPE=anon). It can be unmapped, moved or mapped anew behind our back (munmap inside of libc, dlclose, raw system calls),
   so that the kernel is asked before anything that we believe of it is acted upon. What leaves is cut out of the block.
   All functions need the block's lock; ranges lie in the block. */
#ifndef COWSHIM_ENGINE_FOREIGN_H
#define COWSHIM_ENGINE_FOREIGN_H

#include "engine/block/block.h"
#include "engine/engine.h"
#include "engine/store/extent.h"

/* The range's views are forgotten, wherever they are now: their stores are never punched. 0 or -ENOMEM. */
int foreign_forget(struct block *block, uintptr_t start, uintptr_t end);
/* The same for those that the kernel does not show there any more; 0, or -errno and some may be left. */
int foreign_forget_stale(struct block *block, uintptr_t start, uintptr_t end);
/* Whether the kernel shows all of the view where we believe it. */
bool foreign_in_place(const struct extent *view);
/* The range is no part of the block any more; what it shows is forgotten. If there is no memory to write that down, nothing is
   shared with the whole block any more. */
void foreign_cut(struct block *block, uintptr_t start, uintptr_t end);
/* The range goes to the program's allocator: what it shows becomes anonymous (whole pages inside of [start, end) are emptied), and
   it is cut out. */
void foreign_yield(struct block *block, uintptr_t start, uintptr_t end);
/* All that the range shows becomes private memory with the same contents. 0 or -errno: some may be left. */
int foreign_unshare(struct block *block, uintptr_t start, uintptr_t end);
/* What a memory call of the program does to it. */
void foreign_memory_call(struct block *block, uintptr_t start, uintptr_t end, enum engine_memory_call call);

#endif
