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

#endif
