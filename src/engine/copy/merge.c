/* SPDX-License-Identifier: MIT */
/* Merging: pages of two ranges that are equal become one, whatever made them so. Of each piece one side, the donor, is sealed where the
   other side, the taker, is equal to it, and the taker is made to show the donor's store.
 */
#include "engine/copy/merge.h"

#include <errno.h>

#include "base/bytes.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine/copy/seal.h"
#include "engine/copy/verify.h"
#include "engine/process/entry.h"
#include "kernel/descriptor.h"

#include "base/poison.h"

/* Pages that are compared first. Where none of them is equal, the rest is not read. */
#define SAMPLES 64
#define SAMPLES_OF_PIECE 16

/* Whether any of so many pages, which lie evenly in the range, is the same in both. */
static bool sample(uintptr_t a, uintptr_t b, size_t size, size_t samples)
{
    size_t pages = size / page_size;
    size_t step = pages > samples ? pages / samples : 1;

    for (size_t i = step / 2; i < pages; i += step)
        if (memcmp((const void *)(a + i * page_size), (const void *)(b + i * page_size), page_size) == 0)
            return true;
    return false;
}

/* Both show the same store at the same offset, or the donor's other page of it. */
static void mark_same(struct merge *merge, uintptr_t start, uintptr_t end)
{
    const struct extent *mine = extent_from(merge->taker, start + merge->shift);

    for (; mine != NULL && extent_start(mine) < end + merge->shift; mine = extent_after(mine)) {
        uintptr_t from = max_address(extent_start(mine) - merge->shift, start);
        uintptr_t to = min_address(extent_end(mine) - merge->shift, end);
        const struct extent *theirs = extent_from(merge->donor, from);

        for (; theirs != NULL && extent_start(theirs) < to; theirs = extent_after(theirs)) {
            uintptr_t first = max_address(extent_start(theirs), from);

            if (theirs->store == mine->store && extent_offset(theirs, first) == extent_offset(mine, first + merge->shift))
                bytes_fill(merge_fate(merge, first), FATE_SAME, (min_address(extent_end(theirs), to) - first) / page_size);
        }
    }
}

/* The private pages of a range get a fate; shift is how far the range is from the donor's. */
static int mark_private(struct merge *merge, uintptr_t start, uintptr_t end, uintptr_t shift, enum merge_fate fate)
{
    while (start < end) {
        int count = pagemap_runs(PAGES_PRIVATE, start, end, merge->runs, MERGE_RUNS, &start);

        if (count < 0)
            return -ENODATA;
        for (int i = 0; i < count; i++)
            bytes_fill(merge_fate(merge, merge->runs[i].start - shift), fate, (merge->runs[i].end - merge->runs[i].start) / page_size);
    }
    return 0;
}

/* The fates of a piece, by what the pages are now. Other threads may write meanwhile: what decides is looked at again under the hold. */
static int judge(struct merge *merge, uintptr_t start, uintptr_t end)
{
    uintptr_t shift = merge->shift;
    int error;

    merge->base = start;
    bytes_fill(merge->fates, FATE_STAYS, (end - start) / page_size);
    mark_same(merge, start, end);
    error = mark_private(merge, start, end, 0, FATE_STAYS);
    if (error == 0)
        error = mark_private(merge, start + shift, end + shift, shift, FATE_PRIVATE);
    for (uintptr_t page = start; error == 0 && page < end; page += page_size) {
        unsigned char *fate = merge_fate(merge, page);
        bool there = *fate == FATE_PRIVATE || (*fate == FATE_STAYS && extent_any(merge->taker, page + shift, page + shift + page_size));

        if (there && merge_equal(merge, page))
            *fate = FATE_SHOWN;
    }
    return error;
}

/* The next range from `at` on that begins and ends with a page to be shown and has none that stays: false where there is none. */
static bool next_segment(struct merge *merge, uintptr_t at, uintptr_t end, uintptr_t *first, uintptr_t *last)
{
    while (at < end && *merge_fate(merge, at) != FATE_SHOWN)
        at += page_size;
    *first = at;
    for (*last = at; at < end && *merge_fate(merge, at) != FATE_STAYS; at += page_size)
        if (*merge_fate(merge, at) == FATE_SHOWN)
            *last = at + page_size;
    return *first < *last;
}

static int show_views(struct merge *merge, uintptr_t start, uintptr_t end)
{
    int error = 0;

    while (error == 0 && start < end) {
        const struct extent *extent = extent_from(merge->donor, start);
        uintptr_t stop;

        if (extent == NULL || extent_start(extent) >= end)
            break;
        start = max_address(extent_start(extent), start);
        stop = min_address(extent_end(extent), end);
        if (merge_worthwhile(merge_count_shown(merge, start, stop), start, stop))
            error = extent_budget_left(3) ? merge_show_view(merge, extent, start, stop) : -ENOSPC;
        start = stop;
    }
    return error;
}

static int seal_donor(struct merge *merge, uintptr_t start, uintptr_t end)
{
    int error = 0;

    while (error == 0 && start < end) {
        int count = pagemap_runs(PAGES_PRIVATE, start, end, merge->runs, MERGE_RUNS, &start);

        if (count < 0)
            return -ENODATA;
        if (count > 0)
            seal_runs(merge->donor, merge->look.guard, merge->runs, (size_t)count, &error);
    }
    return error;
}

/* Both locks held; addresses of the donor's. */
static int merge_piece(struct merge *merge, uintptr_t start, uintptr_t end)
{
    uintptr_t first, last;
    int error = judge(merge, start, end);

    while (error == 0 && next_segment(merge, start, end, &first, &last)) {
        if (merge_worthwhile(merge_count_shown(merge, first, last), first, last)) {
            error = seal_donor(merge, first, last);
            if (error == 0)
                error = show_views(merge, first, last);
        }
        start = last;
    }
    return error;
}

static bool usable(const struct block *block)
{
    return block_settled(block) && !block->barred;
}

/* Who shows a store already gives it, so that those who show it as well stay together. */
static void choose_donor(struct merge *merge, struct block *a, uintptr_t *start, struct block *b, uintptr_t other, size_t size)
{
    bool turned = !extent_any(a, *start, *start + size) && extent_any(b, other, other + size);

    merge->donor = turned ? b : a;
    merge->taker = turned ? a : b;
    merge->shift = turned ? *start - other : other - *start;
    *start = turned ? other : *start;
}

/* Both locks held. */
static enum reason merge_blocks(struct merge *merge, struct block *a, uintptr_t at_a, struct block *b, uintptr_t at_b, size_t size)
{
    enum reason why = usable(a) && usable(b) ? look_around(&merge->look) : REASON_excluded;
    int error;

    if (why != REASON_none)
        return why;
    error = verify_range(a, at_a, at_a + size);
    if (error == 0)
        error = verify_range(b, at_b, at_b + size);
    if (error != 0 || (!merge->all && !sample(at_a, at_b, size, SAMPLES_OF_PIECE)))
        return reason_of_error(error);
    choose_donor(merge, a, &at_a, b, at_b, size);
    return reason_of_error(merge_piece(merge, at_a, at_a + size));
}

static enum reason merge_found(struct merge *merge, uintptr_t at_a, uintptr_t at_b, size_t size)
{
    struct block *a = block_find_range(at_a, size);
    struct block *b = block_find_range(at_b, size);
    enum reason why = REASON_none;

    if (a == NULL || b == NULL)
        why = a == NULL ? REASON_not_source : REASON_not_target;
    else if (block_has_our_stack(a) || block_has_our_stack(b) || engine_sharing_stopped())
        why = REASON_excluded;
    if (why == REASON_none) {
        block_lock_pair(a, b);
        why = merge_blocks(merge, a, at_a, b, at_b, size);
        block_unlock_pair(a, b);
    }
    block_release(a);
    block_release(b);
    return why;
}

/* One piece, after which forks and signals have their turn. */
static enum reason merge_once(struct merge *merge, uintptr_t a, uintptr_t b, size_t size)
{
    struct entry entry;
    enum reason why;

    if (!entry_begin_quiet(&entry))
        return REASON_nested;
    merge->runs = scratch_take();
    merge->look.guard = NULL; /* there may be other threads by now */
    if (merge->runs == NULL)
        why = REASON_no_store;
    else
        why = descriptor_in_own_process() ? merge_found(merge, a, b, size) : REASON_foreign_process;
    scratch_give(merge->runs);
    entry_conclude(&entry);
    return why;
}

/* Before anything is read: memory that is in no block need not be readable. */
static enum reason check(uintptr_t at_a, uintptr_t at_b, size_t size)
{
    struct entry entry;
    struct block *a, *b;
    enum reason why = REASON_none;

    if (!entry_begin(&entry))
        return REASON_nested;
    a = block_find_range(at_a, size);
    b = block_find_range(at_b, size);
    if (a == NULL)
        why = REASON_not_source;
    else if (b == NULL)
        why = REASON_not_target;
    else if (a->excluded || a->barred || b->excluded || b->barred)
        why = REASON_excluded;
    block_release(a);
    block_release(b);
    entry_end(&entry);
    return why;
}

enum reason engine_merge(const void *a, const void *b, size_t size, bool all)
{
    uintptr_t at = page_up((uintptr_t)a);
    uintptr_t end = page_down((uintptr_t)a + size);
    uintptr_t shift = (uintptr_t)b - (uintptr_t)a;
    struct merge merge = {.all = all};
    enum reason why;

    if (!page_aligned(shift))
        return REASON_incongruent;
    if (shift < size || -shift < size)
        return REASON_overlapping;
    if (end < at + 2 * page_size)
        return REASON_small;
    why = check(at, at + shift, end - at);
    if (why == REASON_none && !all && !sample(at, at + shift, end - at, SAMPLES))
        return REASON_none;
    while (why == REASON_none && at < end) {
        uintptr_t stop = min_address(align_down(at, HUGE_SIZE) + MERGE_PIECE, end);

        why = merge_once(&merge, at, at + shift, stop - at);
        at = stop;
    }
    return why;
}
