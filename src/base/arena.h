/* SPDX-License-Identifier: MIT */
/* Memory for our own records, taken from the kernel and never from the program's allocator. Thread-safe.
   A pool hands out zeroed items of one size and keeps what it got; scratch buffers are for one operation. */
#ifndef COWSHIM_BASE_ARENA_H
#define COWSHIM_BASE_ARENA_H

#include <stddef.h>

struct pool {
    size_t item_size;
    void *free_items;
    char *fresh, *fresh_end;
    _Atomic size_t in_use;
};

#define POOL_INITIALIZER(type) \
    { \
        sizeof(type), NULL, NULL, NULL, 0 \
    }

void *pool_take(struct pool *pool); /* NULL when the kernel has no memory for us */
void pool_give(struct pool *pool, void *item);
size_t pool_in_use(struct pool *pool); /* takes no lock: may be asked anywhere */

/* Zeroed whole pages, for tables whose size is known late. NULL when there is no memory. */
void *arena_pages_take(size_t size);
void arena_pages_give(void *pages, size_t size);

#define SCRATCH_SIZE ((size_t)1 << 20)

void *scratch_take(void); /* SCRATCH_SIZE bytes, contents undefined, memory only where it is written; NULL when there is none */
void scratch_give(void *buffer);

#endif
