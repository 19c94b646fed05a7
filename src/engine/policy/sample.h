/* SPDX-License-Identifier: MIT */
/* Looking at pages: of views the kernel tells which were rewritten; of what was copied plainly only the bytes can tell. */
#ifndef COWSHIM_ENGINE_SAMPLE_H
#define COWSHIM_ENGINE_SAMPLE_H

#include "engine/block/block.h"

/* Adds to private_pages[], by slice of the pages from base on, the private pages of [start, end). False: the kernel did not tell. */
bool sample_count(uintptr_t base, size_t pages, uintptr_t start, uintptr_t end, uint32_t *private_pages);
/* The same of runs that are known. */
struct page_run;
void sample_add(uintptr_t base, size_t pages, const struct page_run *runs, size_t count, uint32_t *private_pages);

/* Memory that we must not read unasked: a pager of the program's own would be asked for it, or nobody knows whether it is there. */
bool sample_forbidden(const struct block *block);
bool sample_readable(uintptr_t page);
uint64_t sample_sum(uintptr_t page);
bool sample_same(const struct trace_sample *sample);

#endif
