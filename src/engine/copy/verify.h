/* SPDX-License-Identifier: MIT */
/* Trust, but verify: asks the kernel whether a range of a block is mapped as we believe, before anything is mapped over it. */
#ifndef COWSHIM_ENGINE_VERIFY_H
#define COWSHIM_ENGINE_VERIFY_H

#include "engine/block/block.h"
#include "engine/store/extent.h"
#include "kernel/vma.h"

/* Whether the mapping, which contains the address, is what the extent, which contains it as well, says. */
bool verify_shows(const struct vma *vma, const struct extent *extent, uintptr_t address);

/* 0; -ESTALE when the kernel shows something else (not private, executable, not readable and writable, another file, a
   gap); another -errno.
   Before Linux 6.11 asking takes reading all of /proc/self/maps: only foreign blocks are worth that, and for the others what the
   shim saw the program do counts. Needs the block's lock. */
int verify_range(const struct block *block, uintptr_t start, uintptr_t end);

#endif
