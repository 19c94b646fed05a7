/* SPDX-License-Identifier: MIT */
/* Dropping views: a range of a block becomes fresh anonymous memory again, because its contents are about to be overwritten, must
   be zero, or go back to the allocator. Needs the block's lock; ranges are page-aligned. */
#ifndef COWSHIM_ENGINE_DROP_H
#define COWSHIM_ENGINE_DROP_H

#include "engine/block/block.h"
#include "kernel/write_guard.h"

/* Every view in the range is dropped and reads as zero; anonymous pages stay what they are. 0 or -errno, then some may be left. */
int drop_views(struct block *block, uintptr_t start, uintptr_t end);
/* What the views in the range show reads as zero: they are dropped, or, where no mapping or memory is left for that, overwritten and
   stay. The program may do with all of the range what access (map.h) says, also afterwards. 0 or -errno: neither could be done. */
int drop_or_fill(struct block *block, uintptr_t start, uintptr_t end, unsigned access);
/* They are overwritten: for memory that is locked. */
int drop_by_filling(struct block *block, uintptr_t start, uintptr_t end, unsigned access);
/* The whole range reads as zero. 0 or -errno, then the contents are unspecified. */
int drop_to_zero(struct block *block, uintptr_t start, uintptr_t end);

/* The end of the pages that the program may do the same with as with the first; what that is in *access (map.h). */
uintptr_t drop_alike(uintptr_t start, uintptr_t end, unsigned *access);

/* Every view in the range becomes private memory with the same contents, and no store shows through any more. Writers of other
   threads lose nothing, and what the program protected stays protected. Where pages may not be replaced (look.h) they become private
   in place, and the views stay in the list. 0 or -errno, then some views may be left, with their contents. */
int drop_sharing(struct block *block, uintptr_t start, uintptr_t end);
/* The same for all of a range, whatever is mapped there. */
int drop_to_anonymous(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end);
/* The same at once, for pages that the program may read and write: they are one mapping then. */
int drop_into_one(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end);

#endif
