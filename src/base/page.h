/* SPDX-License-Identifier: MIT */
/* Page arithmetic. The page size is read once, by page_init(), before anything else runs. */
#ifndef COWSHIM_BASE_PAGE_H
#define COWSHIM_BASE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The huge page that a store on tmpfs is made of: a PMD with 4 KiB base pages. Where the kernel's is larger, the probe in
   kernel/storefile.c finds no huge store and everything below still holds. */
#define HUGE_SIZE ((size_t)2 << 20)

extern size_t page_size;

void page_init(void);

static inline uintptr_t align_down(uintptr_t value, size_t unit)
{
    return value & ~((uintptr_t)unit - 1);
}

static inline uintptr_t align_up(uintptr_t value, size_t unit)
{
    return align_down(value + unit - 1, unit);
}

static inline uintptr_t page_down(uintptr_t address)
{
    return align_down(address, page_size);
}

static inline uintptr_t page_up(uintptr_t address)
{
    return align_up(address, page_size);
}

static inline bool page_aligned(uintptr_t address)
{
    return (address & (page_size - 1)) == 0;
}

static inline uintptr_t min_address(uintptr_t a, uintptr_t b)
{
    return a < b ? a : b;
}

static inline uintptr_t max_address(uintptr_t a, uintptr_t b)
{
    return a > b ? a : b;
}

/* The bytes that two ranges have in common. */
static inline size_t common_bytes(uintptr_t start, uintptr_t end, uintptr_t other_start, uintptr_t other_end)
{
    uintptr_t from = max_address(start, other_start);
    uintptr_t to = min_address(end, other_end);

    return from < to ? to - from : 0;
}

/* The whole pages inside of a range; where there is none they end where they start. */
struct whole_pages {
    uintptr_t start, end;
};

static inline struct whole_pages whole_pages(uintptr_t start, size_t size)
{
    struct whole_pages pages = {page_up(start), page_down(start + size)};

    if (pages.end < pages.start)
        pages.end = pages.start;
    return pages;
}

#endif
