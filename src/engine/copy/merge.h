/* SPDX-License-Identifier: MIT */
/* Merging: pages of two ranges that are equal become one. merge.c says which, merge_view.c maps them. */
#ifndef COWSHIM_ENGINE_MERGE_H
#define COWSHIM_ENGINE_MERGE_H

#include <string.h>

#include "base/arena.h"
#include "base/page.h"
#include "engine/block/block.h"
#include "engine/memory/look.h"
#include "engine/store/extent.h"
#include "kernel/pagemap.h"

/* The bytes that are merged under the locks at a time. As much memory is used twice meanwhile. */
#define MERGE_PIECE (2 * HUGE_SIZE)
#define MERGE_RUNS (SCRATCH_SIZE / sizeof(struct page_run))

/* What is to become of a page of the taker. */
enum merge_fate {
    FATE_STAYS,   /* it cannot be part of a view without costing more than now */
    FATE_SAME,    /* it shows what the donor's shows already */
    FATE_PRIVATE, /* it differs and is private now: it may stay so inside of a view */
    FATE_SHOWN,   /* it is equal, and not a hole */
};

struct merge {
    bool all; /* no samples */
    struct block *donor, *taker;
    uintptr_t shift; /* taker's address = donor's address + shift, modulo the address space */
    struct look look;
    struct page_run *runs;
    uintptr_t base;
    unsigned char fates[MERGE_PIECE / 4096]; /* enum merge_fate, of the donor's pages from base on; no page is smaller */
};

static inline unsigned char *merge_fate(struct merge *merge, uintptr_t page)
{
    return &merge->fates[(page - merge->base) / page_size];
}

static inline bool merge_equal(const struct merge *merge, uintptr_t page)
{
    return memcmp((const void *)page, (const void *)(page + merge->shift), page_size) == 0;
}

size_t merge_count_shown(struct merge *merge, uintptr_t start, uintptr_t end);
/* Whether a view that shows so many pages of the range is worth its mappings. */
bool merge_worthwhile(size_t shown, uintptr_t start, uintptr_t end);

/* The taker shows the donor's view, [start, end) of the extent, as far as the two are equal. Both locks held. Sets the fates. 0 (also when
   it turned out not to be worth it) or -errno. */
int merge_show_view(struct merge *merge, const struct extent *extent, uintptr_t start, uintptr_t end);

#endif
