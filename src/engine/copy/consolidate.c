/* SPDX-License-Identifier: MIT */
#include "engine/copy/consolidate.h"

#include <errno.h>

#include "base/page.h"
#include "engine/copy/seal.h"
#include "engine/policy/facts.h"
#include "kernel/costs.h"

#include "base/poison.h"

size_t consolidate_runs(struct consolidation *work, struct page_run *runs, size_t count, int *error)
{
    struct block *from = work->from;
    bool huge = facts_huge_store(from);
    uint64_t before = costs_clock();
    size_t pages = pagemap_pages_in(runs, count);
    size_t left = seal_runs(from, work->guard, runs, count, error);
    uintptr_t start, end;
    struct costs costs;

    before = costs_clock() - before;
    work->spent += before;
    costs_note_seal(before, pages - pagemap_pages_in(runs, left), huge);
    if (left == 0 || *error != 0)
        return left;
    from->copied_pages += pagemap_pages_in(runs, left);
    work->to->copied_pages = from->copied_pages; /* the target has the same private pages, which are copied again if it is copied in turn */
    costs_read(&costs);
    start = runs[0].start;
    end = runs[left - 1].end;
    if (!policy_consolidates((end - start) / page_size, from->copied_pages, &costs, huge && end - start >= 4 * HUGE_SIZE))
        return left;
    *error = seal_whole(from, work->guard, start, end, runs, left);
    from->copied_pages = 0;
    work->to->copied_pages = 0;
    if (*error == 0)
        return 0;
    if (*error == -ENOSPC) /* no room for it: the runs are copied as before */
        *error = 0;
    return left;
}
