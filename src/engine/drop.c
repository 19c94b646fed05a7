/* SPDX-License-Identifier: MIT */
#include "engine/drop.h"

#include "engine/counters.h"
#include "engine/extent.h"
#include "kernel/map.h"

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
