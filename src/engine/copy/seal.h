/* SPDX-License-Identifier: MIT */
/* Sealing: private pages of a block move into a store, and the block shows the store instead. Its contents do not change, and no
   write of another thread is lost. Needs the block's lock. */
#ifndef COWSHIM_ENGINE_SEAL_H
#define COWSHIM_ENGINE_SEAL_H

#include "engine/block/block.h"
#include "engine/report/counters.h"
#include "kernel/pagemap.h"
#include "kernel/write_guard.h"

/* Seals those of the private runs (rising, maximal) that are worth it. The others stay in runs[], closed up; returns how many.
   *error is 0, or the -errno that stopped it: -EDEADLK where the guard declines, -ENOLCK where it failed, -ERESTART where somebody waits
   (entry_wanted()): then some was sealed, and runs[] is to be asked of the kernel again. */
size_t seal_runs(struct block *block, const struct write_guard *guard, struct page_run *runs, size_t count, int *error);

/* Seals all that [start, end) shows or has, views included, as one piece each stretch: afterwards it is clean and has few extents.
   private_runs as above. 0 or -errno; in both cases the contents are right. */
int seal_whole(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end, const struct page_run *private_runs,
               size_t count);

/* Seals what is private in [start, end), as far as it is worth it: asks the kernel for all that has to be known before. REASON_none, or
   what stopped it. */
enum reason seal_range(struct block *block, uintptr_t start, uintptr_t end);

void seal_init(void);

#endif
