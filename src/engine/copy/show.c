/* SPDX-License-Identifier: MIT */
#include "engine/copy/show.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/log.h"
#include "engine/memory/drop.h"
#include "engine/report/counters.h"
#include "engine/store/extent.h"
#include "kernel/map.h"

#include "base/poison.h"

/* If there are more runs than this, one call drops them together with all pages between them. Reading those again then takes faults, but as
   many calls would cost more. */
#define RUNS 16

/* The target shows that part of the store already: its own pages go. */
static int show_again(const struct showing *showing, uintptr_t start, uintptr_t end)
{
    struct page_run own[RUNS];
    int error = 0;

    start += showing->shift;
    end += showing->shift;
    while (error == 0 && start < end) {
        uintptr_t walked;
        int count = pagemap_runs(PAGES_PRIVATE, start, end, own, RUNS, &walked);

        if (count < 0)
            return count;
        if (count == RUNS)
            return map_discard(own[0].start, end - own[0].start);
        for (int i = 0; error == 0 && i < count; i++)
            error = map_discard(own[i].start, own[i].end - own[i].start);
        start = walked;
    }
    return error;
}

/* Likewise, but what the source has of its own is copied into pages that are there. */
static int show_between(const struct showing *showing, uintptr_t start, uintptr_t end, const struct page_run *runs, size_t count)
{
    int error = 0;

    for (size_t i = 0; error == 0 && i < count && runs[i].start < end; i++) {
        if (runs[i].end <= start)
            continue;
        if (runs[i].start > start)
            error = show_again(showing, start, runs[i].start);
        start = runs[i].end;
    }
    return error == 0 && start < end ? show_again(showing, start, end) : error;
}

/* The target shows the store as the source does. */
static int show_extent(const struct showing *showing, const struct extent *extent, uintptr_t start, uintptr_t end)
{
    struct extent_spares spares;
    int fd = store_use(extent->store);
    int error = fd < 0 ? fd : extent_spares_take(&spares);

    if (error != 0)
        return error;
    error = map_file(start + showing->shift, end - start, fd, extent_offset(extent, start));
    if (error == 0)
        extent_set(showing->to, start + showing->shift, end + showing->shift, extent->store, extent_offset(extent, start), &spares);
    extent_spares_give(&spares);
    return error;
}

/* The source is anonymous here and has no page: the target becomes zero. */
static int show_zero(const struct showing *showing, uintptr_t start, uintptr_t end)
{
    start += showing->shift;
    end += showing->shift;
    return showing->target_clean ? 0 : drop_to_zero(showing->to, start, end);
}

/* Anonymous memory of the source with private runs in it that were not sealed: they are copied later, the rest is zero. */
static int show_gap(const struct showing *showing, uintptr_t start, uintptr_t end, const struct page_run *runs, size_t count)
{
    int error = 0;

    for (size_t i = 0; error == 0 && start < end && i < count && runs[i].start < end; i++) {
        if (runs[i].end <= start)
            continue;
        if (runs[i].start > start)
            error = show_zero(showing, start, runs[i].start);
        start = min_address(runs[i].end, end);
    }
    return error != 0 || start >= end ? error : show_zero(showing, start, end);
}

/* Walks the source's extents and gaps in [start, end). Extents of the source may be split meanwhile only if source and target are
   one block, and there the ranges are apart. */
static int show_window(const struct showing *showing, uintptr_t start, uintptr_t end, const struct page_run *runs, size_t count)
{
    int error = 0;

    while (error == 0 && start < end) {
        const struct extent *extent = extent_from(showing->from, start);
        uintptr_t stop = end;

        if (extent != NULL && extent_start(extent) <= start) {
            stop = min_address(extent_end(extent), end);
            if (extent_same(showing->from, start, stop, showing->to, showing->shift))
                error = show_between(showing, start, stop, runs, count);
            else
                error = extent_budget_left(1) ? show_extent(showing, extent, start, stop) : -ENOSPC;
        } else {
            if (extent != NULL)
                stop = min_address(extent_start(extent), end);
            error = show_gap(showing, start, stop, runs, count);
        }
        start = stop;
    }
    return error;
}

/* The target's views were just written where the source has these pages. The kernel allocates the pages of the store below for that,
   also those that were punched: tells the stores, so that sweeps punch them again. */
static void note_hidden(const struct block *from, const struct page_run *run)
{
    const struct extent *extent = extent_from(from, run->start);

    for (; extent != NULL && extent_start(extent) < run->end; extent = extent_after(extent)) {
        uintptr_t start = max_address(extent_start(extent), run->start);
        uintptr_t end = min_address(extent_end(extent), run->end);

        store_refilled(extent->store, extent_offset(extent, start), end - start);
    }
}

static size_t copy_runs(const struct showing *showing, const struct page_run *runs, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        size_t size = runs[i].end - runs[i].start;

        bytes_copy((void *)(runs[i].start + showing->shift), (const void *)runs[i].start, size);
        note_hidden(showing->from, &runs[i]);
        counter_add(COUNT_bytes_edges, size);
        bytes += size;
    }
    return bytes;
}

int show_range(const struct showing *showing, uintptr_t start, uintptr_t end, const struct page_run *runs, size_t count, size_t *copied)
{
    int error = show_window(showing, start, end, runs, count);

    if (error == 0)
        *copied += copy_runs(showing, runs, count);
    else
        log_debug("view failed: error %d", -error);
    return error;
}
