/* SPDX-License-Identifier: MIT */
/* Finds out which pages were rewritten: the kernel tells it of views, but of memory that was copied plainly only the bytes do. */
#ifndef COWSHIM_ENGINE_SAMPLE_H
#define COWSHIM_ENGINE_SAMPLE_H

#include "engine/block/block.h"

/* Counts the private pages of [start, end) into private_pages[], which has a number for each slice of the `pages` pages from base on.
   False: the kernel did not tell. */
bool sample_count(uintptr_t base, size_t pages, uintptr_t start, uintptr_t end, uint32_t *private_pages);
/* The same for runs of private pages that are known already. */
struct page_run;
void sample_add(uintptr_t base, size_t pages, const struct page_run *runs, size_t count, uint32_t *private_pages);

/* Whether we must not read the block's memory on our own account: reading could wake a pager of the program, or the memory may be gone. */
bool sample_forbidden(const struct block *block);
bool sample_readable(uintptr_t page);
uint64_t sample_sum(uintptr_t page);
bool sample_same(const struct trace_sample *sample);

#endif
