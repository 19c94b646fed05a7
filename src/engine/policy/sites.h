/* SPDX-License-Identifier: MIT */
/* The records that the policy learns from, one per place in the program (return address and size class of the copy). */
#ifndef COWSHIM_ENGINE_SITES_H
#define COWSHIM_ENGINE_SITES_H

#include <stdint.h>

#include "engine/block/block.h"
#include "engine/policy/policy.h"

/* A number for the place, never 0. Two places may share one, and a lost update does no harm. */
unsigned site_of(const void *caller, size_t size);
struct record site_read(unsigned site);
void site_learn(unsigned site, unsigned rewritten);
void site_note(unsigned site, bool shared);

/* The copy in this block ends (freed, or copied over; one that is overwritten whole through us cost nothing and teaches nothing): looks at a sample of its views and tells the place that made
   it what became of it. Needs the block's lock. */
void site_fate(struct block *block);

#endif
