/* SPDX-License-Identifier: MIT */
/* Which pages of two ranges may differ. Where both show the same page of a store, or nothing in anonymous memory, they are the
   same, unless one has a page of its own: only those are listed. Everything that is not a block, or not mapped as we believe, may
   differ. */
#include <errno.h>

#include "base/page.h"
#include "engine/block.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine/entry.h"
#include "engine/extent.h"
#include "engine/verify.h"
#include "kernel/descriptor.h"
#include "kernel/pagemap.h"

#include "base/poison.h"

/* Locks are held while this much is looked at. */
#define WINDOW ((size_t)256 << 20)
#define RUNS 128

struct compare {
    uintptr_t a, b;
    struct engine_range *ranges;
    size_t max, count;
};

/* False: no room for it. Neighbours are joined. */
static bool add(struct compare *compare, size_t from, size_t to)
{
    struct engine_range *last = compare->count == 0 ? NULL : &compare->ranges[compare->count - 1];

    if (last != NULL && last->offset + last->size >= from) {
        if (to > last->offset + last->size)
            last->size = to - last->offset;
        return true;
    }
    if (compare->count == compare->max)
        return false;
    compare->ranges[compare->count].offset = from;
    compare->ranges[compare->count++].size = to - from;
    return true;
}

/* How far what the block shows at the address goes on alike, and the store that it is, or NULL. */
static uintptr_t stretch(const struct block *block, uintptr_t address, const struct store **store, uint64_t *offset)
{
    const struct extent *extent = extent_from(block, address);

    *store = NULL;
    *offset = 0;
    if (extent == NULL)
        return UINTPTR_MAX;
    if (extent_start(extent) > address)
        return extent_start(extent);
    *store = extent->store;
    *offset = extent_offset(extent, address);
    return extent_end(extent);
}

struct list {
    struct page_run runs[RUNS];
    size_t count, at;
    uintptr_t walked;
};

static int list_private(struct list *list, uintptr_t start, uintptr_t end)
{
    int count = pagemap_runs(PAGES_PRIVATE, start, end, list->runs, RUNS, &list->walked);

    list->count = count < 0 ? 0 : (size_t)count;
    list->at = 0;
    return count < 0 ? count : 0;
}

/* Adds what is private in either of [from, to), rising. Returns how far it came. */
static size_t add_private(struct compare *compare, size_t from, size_t to)
{
    struct list a, b;
    int error = list_private(&a, compare->a + from, compare->a + to);

    if (error == 0) { /* the second one only as far as the first one came: what is not used is looked at again */
        to = a.walked - compare->a;
        error = list_private(&b, compare->b + from, compare->b + to);
    }
    if (error != 0)
        return add(compare, from, to) ? to : from;
    to = b.walked - compare->b;
    while (a.at < a.count || b.at < b.count) {
        size_t next_a = a.at < a.count ? a.runs[a.at].start - compare->a : SIZE_MAX;
        size_t next_b = b.at < b.count ? b.runs[b.at].start - compare->b : SIZE_MAX;
        struct list *list = next_a <= next_b ? &a : &b;
        uintptr_t base = list == &a ? compare->a : compare->b;
        size_t start = list->runs[list->at].start - base;
        size_t end = min_address(list->runs[list->at++].end - base, to);

        if (start >= to)
            break;
        if (!add(compare, start, end))
            return start;
    }
    return to;
}

/* Both blocks locked. Returns how far it came. */
static size_t compare_blocks(struct compare *compare, const struct block *a, const struct block *b, size_t size)
{
    size_t from = 0;

    while (from < size) {
        const struct store *store_a, *store_b;
        uint64_t offset_a, offset_b;
        uintptr_t end_a = stretch(a, compare->a + from, &store_a, &offset_a);
        uintptr_t end_b = stretch(b, compare->b + from, &store_b, &offset_b);
        size_t stop = min_address(size, min_address(end_a - compare->a, end_b - compare->b));
        size_t done;

        if (store_a == store_b && offset_a == offset_b)
            done = add_private(compare, from, stop);
        else
            done = add(compare, from, stop) ? stop : from;
        if (done == from)
            break;
        from = done;
    }
    return from;
}

static bool as_believed(const struct block *block, uintptr_t start, uintptr_t end)
{
    return block->live && verify_range(block, start, end) == 0;
}

/* The same for two ranges that may or may not be in blocks; the first to be looked at, so that there is room. */
static size_t compare_pages(struct compare *compare, size_t size)
{
    struct block *a = block_find_range(compare->a, size);
    struct block *b = block_find_range(compare->b, size);
    size_t reached = 0;

    if (a != NULL && b != NULL && descriptor_in_own_process()) {
        block_lock_pair(a, b);
        if (as_believed(a, compare->a, compare->a + size) && as_believed(b, compare->b, compare->b + size))
            reached = compare_blocks(compare, a, b, size);
        block_unlock_pair(a, b);
    }
    if (reached == 0) { /* nothing is known of them */
        add(compare, 0, size);
        reached = size;
    }
    if (a != NULL)
        block_release(a);
    if (b != NULL)
        block_release(b);
    return reached;
}

size_t engine_compare(const void *a, const void *b, size_t size, struct engine_range *ranges, size_t max, size_t *count)
{
    struct compare compare = {(uintptr_t)a, (uintptr_t)b, ranges, max, 0};
    size_t head = page_up(compare.a) - compare.a;
    struct entry entry;

    if (head == 0 && size >= page_size && page_aligned(compare.a - compare.b) && entry_begin_quiet(&entry)) {
        size = compare_pages(&compare, page_down(size < WINDOW ? size : WINDOW));
        entry_end(&entry);
    } else {
        size = head != 0 && head < size ? head : size;
        add(&compare, 0, size);
    }
    *count = compare.count;
    return size;
}
