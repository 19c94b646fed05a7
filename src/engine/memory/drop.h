/* SPDX-License-Identifier: MIT */
/* Dropping views: a range of a block becomes fresh anonymous memory again, because its contents are about to be overwritten, must
   be zero, or go back to the allocator. Needs the block's lock; ranges are page-aligned. */
#ifndef COWSHIM_ENGINE_DROP_H
#define COWSHIM_ENGINE_DROP_H

#include "engine/block/block.h"
#include "kernel/write_guard.h"

/* Replaces every view in the range by fresh memory, which reads as zero; anonymous pages stay what they are. 0, or -errno and some views
   may be left. */
int drop_views(struct block *block, uintptr_t start, uintptr_t end);
/* What a plain write is about to overwrite (any range): the whole pages in it need not show a store first, a fault would copy bytes that
   die at once. Their views are dropped where the block may be changed. Not to be called while sharing is stopped: what is
   mapped instead would not be locked. Takes the lock. */
void drop_overwritten(struct block *block, uintptr_t start, size_t size);
/* Makes every page that a view shows read as zero. The view is dropped; where that fails for want of memory or mappings it stays, and its
   pages are overwritten. access (map.h) is the protection of the whole range, before and after. 0, or -errno: neither could be done. */
int drop_or_fill(struct block *block, uintptr_t start, uintptr_t end, unsigned access);
/* The same, but always by overwriting: for locked memory, which must not be mapped anew. */
int drop_by_filling(struct block *block, uintptr_t start, uintptr_t end, unsigned access);
/* Makes the whole range read as zero, anonymous pages included. 0, or -errno and the contents are unspecified. */
int drop_to_zero(struct block *block, uintptr_t start, uintptr_t end);

/* Returns the end of the pages from start on that have the same protection as the first one, and that protection in *access (map.h). */
uintptr_t drop_alike(uintptr_t start, uintptr_t end, unsigned *access);

/* Turns every view in the range into private memory with the same contents. Writes of other threads are not lost, and what the program
   protected stays protected. Where pages may not be replaced (look.h) each is made private in place by a write, and the extents stay, with
   nothing of the store to be seen. 0, or -errno and some views may be left, with their contents. */
int drop_sharing(struct block *block, uintptr_t start, uintptr_t end);
/* Turns the whole range into anonymous memory with the same contents, whatever is mapped there: foreign blocks may hold pages of files. */
int drop_to_anonymous(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end);
/* The same in one step, so that the range is one mapping afterwards. The program must be allowed to read and write all of it. */
int drop_into_one(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end);

#endif
