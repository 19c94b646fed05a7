/* SPDX-License-Identifier: MIT */
/* Trust, but verify: asks the kernel whether a range of a block is mapped as we believe, before anything is mapped over it. */
#ifndef COWSHIM_ENGINE_VERIFY_H
#define COWSHIM_ENGINE_VERIFY_H

#include "engine/block.h"

/* 0; -ESTALE when the kernel shows something else (not private, not readable and writable, another file, a gap); another -errno.
   Before Linux 6.11 there is nobody to ask, and only what the shim saw the program do counts. Needs the block's lock. */
int verify_range(const struct block *block, uintptr_t start, uintptr_t end);

#endif
