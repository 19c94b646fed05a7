/* SPDX-License-Identifier: MIT */
#include "profile/heap.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SMALLEST_BITS 6
#define LARGEST_BITS 16
#define CHUNK ((size_t)1 << 18)

static void *free_items[LARGEST_BITS + 1];
static char *fresh, *fresh_end;

static unsigned bits_of(size_t size)
{
    unsigned bits = SMALLEST_BITS;

    while (((size_t)1 << bits) < size)
        bits++;
    return bits;
}

void *heap_pages(size_t size)
{
    long pages = syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return pages == -1 ? NULL : (void *)pages;
}

void *heap_take(size_t size)
{
    unsigned bits = bits_of(size);
    void *item;

    if (bits > LARGEST_BITS)
        return NULL;
    item = free_items[bits];
    if (item != NULL) {
        free_items[bits] = *(void **)item;
        memset(item, 0, size);
        return item;
    }
    if ((size_t)(fresh_end - fresh) < (size_t)1 << bits) {
        fresh = heap_pages(CHUNK);
        fresh_end = fresh == NULL ? NULL : fresh + CHUNK;
        if (fresh == NULL)
            return NULL;
    }
    item = fresh;
    fresh += (size_t)1 << bits;
    return item;
}

void heap_give(void *item, size_t size)
{
    unsigned bits = bits_of(size);

    if (item == NULL)
        return;
    *(void **)item = free_items[bits];
    free_items[bits] = item;
}
