/* SPDX-License-Identifier: MIT */
/* What the process has: the honest figure, private pages and stores. The caller holds the observer's lock. */
#ifndef COWSHIM_PROFILE_MEMORY_H
#define COWSHIM_PROFILE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* store_bytes: NULL where nothing is substituted. */
void memory_init(uint64_t (*store_bytes)(void));
void memory_after_fork(void);
/* The memory of a block of this size comes or goes: measures, unless the block is small and the purse for that is empty. */
void memory_measure(size_t block);
/* What was last measured, once; then zero until the next measurement. */
void memory_figures(uint64_t *anon, uint64_t *stores, uint64_t *heap);
/* Where the heap of sbrk() begins; 0: not known. */
uint64_t memory_heap_start(void);
/* Single pages spread over a block: how many were asked for, and how many are there. */
void memory_probe(uintptr_t start, size_t size, uint32_t *probes, uint32_t *filled);

#endif
