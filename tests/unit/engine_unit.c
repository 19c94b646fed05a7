/* SPDX-License-Identifier: MIT */
#include "engine_unit.h"

#include <string.h>
#include <sys/mman.h>

#include "engine/engine.h"
#include "kernel/pagemap.h"

struct block *block_at(const void *start)
{
    struct block *block = block_find_start((uintptr_t)start);

    if (block == NULL)
        UNIT_FAIL("%p is no block", start);
    block_release(block);
    return block;
}

static size_t pages_that_are(enum pagemap_want want, const void *start, size_t pages)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + pages * page_size;
    size_t bytes = 0;

    while (at < end) {
        struct page_run runs[64];
        int count = pagemap_runs(want, at, end, runs, 64, &at);

        if (count < 0)
            UNIT_FAIL("no pagemap: %d", count);
        for (int i = 0; i < count; i++)
            bytes += runs[i].end - runs[i].start;
    }
    return bytes / page_size;
}

size_t private_pages(const void *start, size_t pages)
{
    return pages_that_are(PAGES_PRIVATE, start, pages);
}

size_t touched_pages(const void *start, size_t pages)
{
    return pages_that_are(PAGES_TOUCHED, start, pages);
}

size_t extents_of(const void *start)
{
    return block_at(start)->extents_count;
}

size_t stores_open(void)
{
    size_t count;
    uint64_t allocated;

    store_totals(&count, &allocated);
    return count;
}

uint64_t stores_allocated(void)
{
    size_t count;
    uint64_t allocated;

    store_totals(&count, &allocated);
    return allocated;
}

struct store *store_at(const void *address)
{
    struct block *block = block_find((uintptr_t)address);
    struct extent *extent;

    if (block == NULL)
        UNIT_FAIL("%p is in no block", address);
    extent = extent_from(block, (uintptr_t)address);
    block_release(block);
    return extent == NULL || extent_start(extent) > (uintptr_t)address ? NULL : extent->store;
}

void discard(char *start, size_t pages)
{
    madvise(start, pages * page_size, MADV_DONTNEED);
    if (!engine_memory_call(start, pages * page_size, MEMORY_ZERO))
        UNIT_FAIL("engine_memory_call was refused");
}

char *sealed_block(size_t pages, unsigned number, char **other)
{
    char *block = unit_block(pages);
    char *copy = unit_block(pages);

    unit_fill(block, pages * page_size, number);
    if (!unit_copy(copy, block, pages * page_size))
        UNIT_FAIL("nothing was sealed");
    if (other != NULL)
        *other = copy;
    else
        unit_remove(copy);
    return block;
}

static void write_pages(char *memory, char *shadow, size_t from, size_t to, unsigned number)
{
    uint64_t *words = (uint64_t *)(void *)memory, *same = (uint64_t *)(void *)shadow;

    for (size_t i = from * page_size / 8; i < to * page_size / 8; i++)
        words[i] = same[i] = ((uint64_t)number << 32 | i) * UINT64_C(0x9e3779b97f4a7c15);
}

static void make_view(char *memory, char *shadow, size_t from, size_t to, unsigned number)
{
    char *other = unit_block(to - from);

    write_pages(memory, shadow, from, to, number);
    if (!unit_copy(other, memory + from * page_size, (to - from) * page_size))
        UNIT_FAIL("nothing was sealed");
    unit_remove(other);
}

void bring_into(enum state state, char *memory, size_t pages, unsigned number, char *shadow)
{
    memset(shadow, 0, pages * page_size);
    switch (state) {
    case PRIVATE:
        write_pages(memory, shadow, 0, pages, number);
        break;
    case VIEW:
        make_view(memory, shadow, 0, pages, number);
        break;
    case PATCHWORK:
        make_view(memory, shadow, 0, pages / 2, number);
        write_pages(memory, shadow, 3, 4, number + 1);
        write_pages(memory, shadow, 10, 13, number + 1);
        write_pages(memory, shadow, pages / 2 + 5, pages / 2 + 6, number);
        write_pages(memory, shadow, pages / 4 * 3, pages, number);
        break;
    case ISLAND:
        make_view(memory, shadow, pages / 4, pages / 2, number);
        write_pages(memory, shadow, 0, pages / 4, number);
        break;
    default:
        break;
    }
}

size_t long_hole(enum state state, size_t pages, size_t *first)
{
    size_t last = state == PATCHWORK ? pages / 4 * 3 : pages;

    *first = state == HOLES ? 0 : state == PATCHWORK ? pages / 2 + 6 : pages / 2;
    return state == PRIVATE || state == VIEW ? 0 : last - *first;
}

size_t scattered_pages(enum state state)
{
    return state == PATCHWORK ? 5 : 0;
}

struct store *reserve_store(enum storefile_kind kind, size_t size, uint64_t *offset)
{
    struct store *store;
    int error = store_reserve(kind, size, &store, offset);

    if (error != 0)
        UNIT_FAIL("store_reserve of %zu bytes: %d", size, error);
    return store;
}

void count_visit(struct tree_node *view, void *context)
{
    CHECK(view != NULL);
    ++*(unsigned *)context;
}
