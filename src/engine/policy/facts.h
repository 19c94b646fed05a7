/* SPDX-License-Identifier: MIT */
/* What the policy is told of a copy: the state of its blocks, before the kernel is asked anything. */
#ifndef COWSHIM_ENGINE_FACTS_H
#define COWSHIM_ENGINE_FACTS_H

#include "engine/policy/fate.h"

/* All but the purse, which is the policy's own. Needs the locks of both blocks. */
struct facts facts_of(const struct venture *venture);
/* Whether the target shows its views in huge pages: it lies in the address space as its store does in the file. */
bool facts_huge_views(const struct venture *venture);

#endif
