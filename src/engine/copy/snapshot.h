/* SPDX-License-Identifier: MIT */
/* The copy: makes one range show what another shows, by mapping. See src/README.md, "life of a copy". */
#ifndef COWSHIM_ENGINE_SNAPSHOT_H
#define COWSHIM_ENGINE_SNAPSHOT_H

#include "engine/block/block.h"
#include "engine/report/counters.h"
#include "engine/report/observe.h"

/* Makes [target, target + size) of `to` hold what [source, source + size) of `from` holds; page-aligned, not overlapping; both
   locks held. Returns how many leading bytes are done; *why tells what stopped it short (REASON_none: nothing). The rest of the
   target is unspecified and for the caller to copy; the source is unchanged in any case. site: where the policy learns; 0: it is
   not asked. *copied: how many of the bytes that are done were copied. */
size_t snapshot_range(struct block *from, uintptr_t source, struct block *to, uintptr_t target, size_t size, unsigned site,
                      size_t *copied, enum reason *why);
/* What would stop it before the first page, without doing anything; and what the policy would be asked with. */
enum reason snapshot_judge(struct block *from, uintptr_t source, struct block *to, uintptr_t target, size_t size,
                           struct observed_verdict *verdict);

/* Moves what is private in [start, end) of a block into stores, for the next copies. Its lock held. */
enum reason snapshot_seal(struct block *block, uintptr_t start, uintptr_t end);

#endif
