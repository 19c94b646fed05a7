/* SPDX-License-Identifier: MIT */
/* An allocator behind us that makes its calloc and realloc of malloc, by that name: what it calls then is ours. musl does so, and
   many a small library for debugging. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *calloc(size_t count, size_t size)
{
    size_t total = count * size;
    void *start = size != 0 && total / size != count ? NULL : malloc(total);

    return start == NULL ? NULL : memset(start, 0, total);
}

void *realloc(void *old, size_t size)
{
    size_t had = old == NULL ? 0 : malloc_usable_size(old);
    void *start = malloc(size);

    if (start == NULL || old == NULL)
        return start;
    memcpy(start, old, had < size ? had : size);
    free(old);
    return start;
}
