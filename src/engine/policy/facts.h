/* SPDX-License-Identifier: MIT */
/* What the policy is told of a copy: the state of its blocks, before the kernel is asked anything. */
#ifndef COWSHIM_ENGINE_FACTS_H
#define COWSHIM_ENGINE_FACTS_H

#include "engine/policy/fate.h"

/* All but the purse, which is the policy's own. Needs the locks of both blocks. */
struct facts facts_of(const struct venture *venture);
/* Whether what is sealed of the block goes to a store of huge pages, but for its ends. */
bool facts_huge_store(const struct block *from);
/* Whether the kernel fills the block's memory with huge pages. */
bool facts_huge(const struct block *to);
/* Whether memory is so short that the copy is shared whatever it costs. It is asked once a copy, before its source is scanned. */
bool facts_press(const struct venture *venture);
/* Whether the last copy into the target tells where it has pages of its own. */
bool facts_traced(const struct venture *venture);
/* The slices in which the target has pages of its own, as the last copy into it or a look at its middle tells. */
uint64_t facts_filled(const struct venture *venture);
/* Whether the target shows its views in huge pages: it lies in the address space as its store does in the file. */
bool facts_huge_views(const struct venture *venture);

#endif
