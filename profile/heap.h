/* SPDX-License-Identifier: MIT */
/* Memory for the observer's records, from the kernel. The caller holds the observer's lock. */
#ifndef COWSHIM_PROFILE_HEAP_H
#define COWSHIM_PROFILE_HEAP_H

#include <stddef.h>

void *heap_take(size_t size); /* zeroed; NULL when there is none */
void heap_give(void *item, size_t size);
void *heap_pages(size_t size);

#endif
