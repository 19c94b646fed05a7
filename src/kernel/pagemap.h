/* SPDX-License-Identifier: MIT */
/* Asks the kernel what state the pages of this process are in. We never keep a record of that ourselves.
   Source: Documentation/admin-guide/mm/pagemap.rst. Two variants, picked at start: PAGEMAP_SCAN (Linux 6.7, pagemap_scan.c) and
   reading /proc/self/pagemap (pagemap_read.c). The variants differ in one point: only PAGEMAP_SCAN tells the zero page from a
   private page, so the other calls a page that was read but never written private. In a process of which the kernel merges equal pages
   (KSM, PR_SET_MEMORY_MERGE) both do: there a page of zeros that was written over a view may have become the zero page. */
#ifndef COWSHIM_KERNEL_PAGEMAP_H
#define COWSHIM_KERNEL_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_run {
    uintptr_t start, end; /* page-aligned addresses */
};

enum pagemap_want {
    PAGES_PRIVATE, /* present or swapped, and not of a file: belongs to the range alone */
    PAGES_TOUCHED, /* present or swapped at all */
};

struct pagemap_variant {
    const char *name;
    /* most: 1 ends it at the first page; 0: all */
    int (*runs)(int fd, enum pagemap_want want, uintptr_t start, uintptr_t end, struct page_run *runs, size_t max, size_t most,
                uintptr_t *walked);
};

extern const struct pagemap_variant pagemap_scan, pagemap_read;
/* Whether /proc/self/pagemap marks this page, which is present and belongs to a file, as a page of a file. It opens a descriptor of its
   own, because stores are probed with a lock held. */
bool pagemap_read_names(uintptr_t page);

/* COWSHIM_INTERNAL=scan-off takes the second variant, pagemap-off none. */
void pagemap_init(void);
const char *pagemap_name(void);
/* The kernel merges pages of this process from now on. */
void pagemap_note_merging(void);
bool pagemap_merging(void);

/* Fills runs with the wanted pages of [start, end) as maximal runs in rising order and returns how many, or -errno.
   *walked is how far the answer reaches: short of end when max was reached. max >= 1. */
int pagemap_runs(enum pagemap_want want, uintptr_t start, uintptr_t end, struct page_run *runs, size_t max, uintptr_t *walked);
/* Whether the kernel marks a page of a file as such also where a huge entry maps it. The page is one that such an entry maps; 0 asks
   whether the answer is known without trying one. PAGEMAP_SCAN always marks them; /proc/self/pagemap does since Linux 6.11 and in some
   stable branches. Where it does not, a page of a huge store that was only read looks written, and would be given back as dead. */
bool pagemap_names_huge(uintptr_t page);
/* How many pages the runs have. */
size_t pagemap_pages_in(const struct page_run *runs, size_t count);
/* 1 if any page is there, 0 if none, or -errno. */
int pagemap_any(enum pagemap_want want, uintptr_t start, uintptr_t end);

#endif
