/* SPDX-License-Identifier: MIT */
#include "engine/memory/drop.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "engine/copy/verify.h"
#include "engine/memory/look.h"
#include "engine/report/counters.h"
#include "engine/store/extent.h"
#include "kernel/descriptor.h"
#include "kernel/map.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

static int drop_one(struct block *block, uintptr_t start, uintptr_t end)
{
    struct extent_spares spares;
    int error = extent_spares_take(&spares);

    if (error != 0)
        return error;
    error = map_zero(start, end - start, block->huge);
    if (error == 0) {
        extent_clear(block, start, end, &spares);
        counter_add(COUNT_views_dropped, end - start);
    }
    extent_spares_give(&spares);
    return error;
}

/* The end of the views that touch each other from this one on: one call drops them all. */
static uintptr_t end_of_chain(const struct extent *extent, uintptr_t limit)
{
    uintptr_t end = extent_end(extent);

    while (end < limit && (extent = extent_after(extent)) != NULL && extent_start(extent) == end)
        end = extent_end(extent);
    return min_address(end, limit);
}

int drop_views(struct block *block, uintptr_t start, uintptr_t end)
{
    int error = 0;

    while (error == 0 && start < end) {
        const struct extent *extent = extent_from(block, start);
        uintptr_t from;

        if (extent == NULL || extent_start(extent) >= end)
            break;
        from = max_address(extent_start(extent), start);
        start = end_of_chain(extent, end);
        error = drop_one(block, from, start);
    }
    return error;
}

void drop_overwritten(struct block *block, uintptr_t start, size_t size)
{
    struct whole_pages pages = whole_pages(start, size);
    struct look look = {NULL};

    lock_take(&block->lock);
    if (block_settled(block) && extent_any(block, pages.start, pages.end) && look_around(&look) == REASON_none &&
        verify_range(block, pages.start, pages.end) == 0 && drop_views(block, pages.start, pages.end) == 0)
        map_populate_write(pages.start, pages.end - pages.start); /* one call is cheaper than a fault for each page */
    lock_drop(&block->lock);
}

static void fill_views(struct block *block, uintptr_t start, uintptr_t end)
{
    const struct extent *extent = extent_from(block, start);

    for (; extent != NULL && extent_start(extent) < end; extent = extent_after(extent)) {
        uintptr_t from = max_address(extent_start(extent), start);

        bytes_fill((void *)from, 0, min_address(extent_end(extent), end) - from);
    }
}

int drop_by_filling(struct block *block, uintptr_t start, uintptr_t end, unsigned access)
{
    int error = access == ACCESS_USUAL ? 0 : map_protect(start, end - start, ACCESS_USUAL);

    if (error == 0)
        fill_views(block, start, end);
    if (access != ACCESS_USUAL)
        map_protect(start, end - start, access);
    return error;
}

int drop_or_fill(struct block *block, uintptr_t start, uintptr_t end, unsigned access)
{
    if (drop_views(block, start, end) != 0)
        return drop_by_filling(block, start, end, access);
    if (access != ACCESS_USUAL)
        map_protect(start, end - start, access);
    return 0;
}

int drop_to_zero(struct block *block, uintptr_t start, uintptr_t end)
{
    int error = 0;

    while (error == 0 && start < end) {
        const struct extent *extent = extent_from(block, start);
        uintptr_t stop = extent == NULL ? end : min_address(max_address(extent_start(extent), start), end);

        if (stop > start)
            error = map_discard(start, stop - start);
        start = stop;
        if (error == 0 && start < end) {
            stop = end_of_chain(extent, end);
            error = drop_one(block, start, stop);
            start = stop;
        }
    }
    return error;
}

/* The unit in which writers are held off and memory is used twice. */
#define PIECE ((size_t)1 << 20)

static int copy_piece(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end, struct extent_spares *spares)
{
    uintptr_t temporary;
    int error = map_temporary(end - start, &temporary);

    if (error != 0)
        return error;
    error = guard->stop_writers(start, end);
    if (error == 0) {
        bytes_copy((void *)temporary, (const void *)start, end - start);
        error = map_replace(temporary, start, end - start);
        if (error == 0) {
            guard->replaced(start, end);
            extent_clear(block, start, end, spares);
            return 0;
        }
        guard->cancel(start, end);
    }
    map_end_temporary(temporary, end - start);
    return error;
}

int drop_into_one(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end)
{
    struct extent_spares spares;
    int error = extent_spares_take(&spares);

    if (error == 0)
        error = copy_piece(block, guard, start, end, &spares);
    extent_spares_give(&spares);
    return error;
}

/* Pages of one protection, which they keep. */
static int unshare_alike(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end, unsigned access)
{
    int error = 0;

    if ((access & ACCESS_READ) == 0)
        error = map_protect(start, end - start, ACCESS_READ);
    if (error == 0)
        error = drop_into_one(block, access & ACCESS_WRITE ? guard : &write_guard_none, start, end);
    if (access != ACCESS_USUAL)
        map_protect(start, end - start, access);
    return error;
}

uintptr_t drop_alike(uintptr_t start, uintptr_t end, unsigned *access)
{
    *access = map_access(start);
    do
        start += page_size;
    while (start < end && map_access(start) == *access);
    return start;
}

int drop_to_anonymous(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end)
{
    int error = 0;

    while (error == 0 && start < end) {
        unsigned access;
        uintptr_t stop = drop_alike(start, min_address(end, start + PIECE), &access);

        error = unshare_alike(block, guard, start, stop, access);
        start = stop;
    }
    return error;
}

/* By a write that changes nothing. */
static int touch_each(uintptr_t start, uintptr_t end)
{
    for (; start < end; start += page_size) {
        if ((map_access(start) & ACCESS_WRITE) == 0)
            return -EACCES;
        atomic_fetch_or((_Atomic unsigned char *)start, 0);
    }
    return 0;
}

/* Where pages may not be replaced the kernel gives every page that shows the store one of its own, and the others stay where they are.
   The mapping is still one of the store, of which nothing is seen. */
static int unshare_in_place(uintptr_t start, uintptr_t end)
{
    int error = map_populate_write(start, end - start);

    return error == -EINVAL ? touch_each(start, end) : error; /* before Linux 5.14 */
}

static int unshare_range(struct look *look, struct block *block, uintptr_t start, uintptr_t end)
{
    enum reason why = look_around_for_views(look);

    if (why == REASON_none)
        return drop_to_anonymous(block, look->guard, start, end);
    return why == REASON_no_guard || why == REASON_no_pagemap ? -EDEADLK : unshare_in_place(start, end);
}

int drop_sharing(struct block *block, uintptr_t start, uintptr_t end)
{
    struct look look = {NULL};
    int error = 0;

    while (error == 0 && start < end) { /* a view that stays may reach beyond the end */
        const struct extent *extent = extent_from(block, start);
        uintptr_t stop;

        if (extent == NULL || extent_start(extent) >= end)
            break;
        if (!descriptor_in_own_process()) /* a vfork child: its signal handlers and descriptors are not those of the writers */
            return -EDEADLK;
        start = max_address(extent_start(extent), start);
        stop = min_address(extent_end(extent), end);
        error = unshare_range(&look, block, start, stop);
        start = stop;
    }
    return error;
}
