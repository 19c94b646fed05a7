/* SPDX-License-Identifier: MIT */
/* The mapping part of a merge.
   Pages that differ may lie between equal ones. So that these cost no mapping of their own, they become private pages of the taker's
   new view. The view is made at a temporary place and takes the taker's place in one step, while writers are held off: a reader
   sees the same bytes at any time, and what was compared is what is replaced. */
#include "engine/copy/merge.h"

#include <errno.h>

#include "base/bytes.h"
#include "engine/report/counters.h"
#include "kernel/map.h"

#include "base/poison.h"

/* A view costs a mapping or two: it must save at least this many pages, or all that there are. */
#define WORTH 16

size_t merge_count_shown(struct merge *merge, uintptr_t start, uintptr_t end)
{
    size_t count = 0;

    for (uintptr_t page = start; page < end; page += page_size)
        count += *merge_fate(merge, page) == FATE_SHOWN;
    return count;
}

bool merge_worthwhile(size_t shown, uintptr_t start, uintptr_t end)
{
    return shown >= WORTH || (shown > 0 && shown == (end - start) / page_size);
}

/* Writers to the taker are held off. A page is shown if it is equal now, and what it is equal to is the store's and not a private page
   of the donor's, which was written since it was sealed: once private it stays so, for its block is locked. */
static int judge_held(struct merge *merge, uintptr_t start, uintptr_t end)
{
    uintptr_t at = start;

    for (uintptr_t page = start; page < end; page += page_size)
        *merge_fate(merge, page) = merge_equal(merge, page) ? FATE_SHOWN : FATE_PRIVATE;
    while (at < end) {
        int count = pagemap_runs(PAGES_PRIVATE, at, end, merge->runs, MERGE_RUNS, &at);

        if (count < 0)
            return -ENODATA;
        for (int i = 0; i < count; i++)
            bytes_fill(merge_fate(merge, merge->runs[i].start), FATE_PRIVATE, (merge->runs[i].end - merge->runs[i].start) / page_size);
    }
    return 0;
}

/* Writes the pages that differ into a view that nobody sees yet. */
static void fill_private(struct merge *merge, const struct extent *extent, uintptr_t start, uintptr_t end, uintptr_t view)
{
    uintptr_t stop;

    for (uintptr_t page = start; page < end; page = stop) {
        unsigned char fate = *merge_fate(merge, page);

        for (stop = page + page_size; stop < end && *merge_fate(merge, stop) == fate;)
            stop += page_size;
        if (fate == FATE_SHOWN)
            continue;
        bytes_copy((void *)(view + (page - start)), (const void *)(page + merge->shift), stop - page);
        store_refilled(extent->store, extent_offset(extent, page), stop - page);
    }
}

static int replace_some(struct merge *merge, const struct extent *extent, uintptr_t start, uintptr_t end, int fd)
{
    uintptr_t view;
    int error = map_temporary(end - start, &view);

    if (error != 0)
        return error;
    error = map_file(view, end - start, fd, extent_offset(extent, start));
    if (error == 0) {
        fill_private(merge, extent, start, end, view);
        error = map_replace(view, start + merge->shift, end - start);
    }
    if (error != 0)
        map_end_temporary(view, end - start);
    return error;
}

/* -ECANCELED: it is not worth it any more. */
static int replace_held(struct merge *merge, const struct extent *extent, uintptr_t start, uintptr_t end, int fd)
{
    int error = judge_held(merge, start, end);
    size_t shown = error == 0 ? merge_count_shown(merge, start, end) : 0;

    if (error != 0)
        return error;
    if (shown == (end - start) / page_size)
        return map_file(start + merge->shift, end - start, fd, extent_offset(extent, start));
    return merge_worthwhile(shown, start, end) ? replace_some(merge, extent, start, end, fd) : -ECANCELED;
}

int merge_show_view(struct merge *merge, const struct extent *extent, uintptr_t start, uintptr_t end)
{
    uintptr_t mine = start + merge->shift;
    uintptr_t stop = end + merge->shift;
    struct extent_spares spares;
    int fd = store_use(extent->store);
    int error = fd < 0 ? fd : extent_spares_take(&spares);

    if (error != 0)
        return error;
    error = merge->look.guard->stop_writers(mine, stop);
    if (error == 0) {
        error = replace_held(merge, extent, start, end, fd);
        if (error == 0) {
            merge->look.guard->replaced(mine, stop);
            extent_set(merge->taker, mine, stop, extent->store, extent_offset(extent, start), &spares);
            counter_add(COUNT_merged_bytes, merge_count_shown(merge, start, end) * page_size);
        } else {
            merge->look.guard->cancel(mine, stop);
        }
    } else if (error != -EDEADLK) {
        error = -ENOLCK;
    }
    extent_spares_give(&spares);
    return error == -ECANCELED ? 0 : error;
}
