/* SPDX-License-Identifier: MIT */
/* The page in front of a block. Where glibc maps a request for itself (malloc(3), M_MMAP_THRESHOLD) the block starts a page behind the
   mapping, and of that page nothing is used but the word with the chunk's size, which only free(), realloc() and malloc_usable_size()
   of this very pointer read. Copies of small blocks that show a store would keep more memory for that word than for anything else:
   once a copy was mapped into the block the word is kept here, and the page is given back until the allocator is asked. */
#ifndef COWSHIM_ENGINE_HEADER_H
#define COWSHIM_ENGINE_HEADER_H

#include "engine/block/block.h"

/* Gives the page in front of the block back to the system, if nothing but that word is used of it and the block is small. Needs the
   block's lock. */
void header_drop(struct block *block);
/* Restores the page and the word. The page stays then, because the allocator may read it at any time from now on. Needs the lock, unless
   nobody else knows the block any more. */
void header_restore(struct block *block);
/* Whether glibc mapped the memory for this block alone, and will unmap it at free(). Reads only what lies in a page of the block's own. */
bool header_says_mapped(const struct block *block);

#endif
