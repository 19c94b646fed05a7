/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/bytes.h"
#include "base/lock.h"
#include "base/sys.h"

#include "base/poison.h"

#define CHUNK_SIZE ((size_t)65536)

static struct lock arena_lock = LOCK_INITIALIZER(LOCK_ARENA);
static struct pool scratch = {SCRATCH_SIZE, NULL, NULL, NULL, 0};

void *arena_pages_take(size_t size)
{
    long pages = SYS(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return pages < 0 ? NULL : (void *)pages;
}

void arena_pages_give(void *pages, size_t size)
{
    SYS_MUST(SYS_munmap, pages, size);
}

static void *take_locked(struct pool *pool)
{
    size_t size = (pool->item_size + 15) & ~(size_t)15;
    void *item = pool->free_items;

    if (item != NULL) {
        pool->free_items = *(void **)item;
        return item;
    }
    if ((size_t)(pool->fresh_end - pool->fresh) < size) {
        size_t chunk = size > CHUNK_SIZE ? size : CHUNK_SIZE;

        pool->fresh = arena_pages_take(chunk);
        pool->fresh_end = pool->fresh == NULL ? NULL : pool->fresh + chunk;
        if (pool->fresh == NULL)
            return NULL;
    }
    item = pool->fresh;
    pool->fresh += size;
    return item;
}

static void *take(struct pool *pool)
{
    void *item;

    lock_take(&arena_lock);
    item = take_locked(pool);
    pool->in_use += item != NULL;
    lock_drop(&arena_lock);
    return item;
}

void *pool_take(struct pool *pool)
{
    void *item = take(pool);

    if (item != NULL)
        bytes_fill(item, 0, pool->item_size);
    return item;
}

void pool_give(struct pool *pool, void *item)
{
    if (item == NULL)
        return;
    lock_take(&arena_lock);
    *(void **)item = pool->free_items;
    pool->free_items = item;
    pool->in_use--;
    lock_drop(&arena_lock);
}

size_t pool_in_use(struct pool *pool)
{
    return atomic_load_explicit(&pool->in_use, memory_order_relaxed);
}

void *scratch_take(void)
{
    return take(&scratch);
}

void scratch_give(void *buffer)
{
    pool_give(&scratch, buffer);
}
