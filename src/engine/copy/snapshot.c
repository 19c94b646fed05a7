/* SPDX-License-Identifier: MIT */
#include "engine/copy/snapshot.h"

#include <errno.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/log.h"
#include "engine/memory/drop.h"
#include "engine/memory/look.h"
#include "engine/store/extent.h"
#include "engine/policy/policy.h"
#include "engine/copy/seal.h"
#include "engine/policy/sites.h"
#include "engine/copy/verify.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"
#include "kernel/storefile.h"
#include "kernel/usage.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

#define RUNS (SCRATCH_SIZE / sizeof(struct page_run))

struct snapshot {
    struct block *from, *to;
    uintptr_t shift; /* target address = source address + shift, modulo the address space */
    struct look look;
    unsigned site;       /* 0: the policy is not asked */
    size_t copied;       /* bytes that were not shared */
    bool target_clean;   /* the target had no page and no view when we came */
    bool target_touched; /* it was in use */
    bool decided;        /* the policy was asked */
};

/* The target shows the store as the source does. */
static int show_extent(struct snapshot *snapshot, const struct extent *extent, uintptr_t start, uintptr_t end)
{
    struct extent_spares spares;
    int fd = store_use(extent->store);
    int error = fd < 0 ? fd : extent_spares_take(&spares);

    if (error != 0)
        return error;
    error = map_file(start + snapshot->shift, end - start, fd, extent_offset(extent, start));
    if (error == 0)
        extent_set(snapshot->to, start + snapshot->shift, end + snapshot->shift, extent->store, extent_offset(extent, start),
                   &spares);
    extent_spares_give(&spares);
    return error;
}

/* The source is anonymous here and has no page: the target becomes zero. */
static int show_zero(struct snapshot *snapshot, uintptr_t start, uintptr_t end)
{
    start += snapshot->shift;
    end += snapshot->shift;
    return snapshot->target_clean ? 0 : drop_to_zero(snapshot->to, start, end);
}

/* Anonymous memory of the source with private runs in it that were not sealed: they are copied later, the rest is zero. */
static int show_gap(struct snapshot *snapshot, uintptr_t start, uintptr_t end, const struct page_run *runs, size_t count)
{
    int error = 0;

    for (size_t i = 0; error == 0 && start < end && i < count && runs[i].start < end; i++) {
        if (runs[i].end <= start)
            continue;
        if (runs[i].start > start)
            error = show_zero(snapshot, start, runs[i].start);
        start = min_address(runs[i].end, end);
    }
    return error != 0 || start >= end ? error : show_zero(snapshot, start, end);
}

/* Walks the source's extents and gaps in [start, end). Extents of the source may be split meanwhile only if source and target are
   one block, and there the ranges are apart. */
static int show_window(struct snapshot *snapshot, uintptr_t start, uintptr_t end, const struct page_run *runs, size_t count)
{
    int error = 0;

    while (error == 0 && start < end) {
        const struct extent *extent = extent_from(snapshot->from, start);
        uintptr_t stop = end;

        if (extent != NULL && extent_start(extent) <= start) {
            stop = min_address(extent_end(extent), end);
            error = extent_budget_left(1) ? show_extent(snapshot, extent, start, stop) : -ENOSPC;
        } else {
            if (extent != NULL)
                stop = min_address(extent_start(extent), end);
            error = show_gap(snapshot, start, stop, runs, count);
        }
        start = stop;
    }
    return error;
}

/* What a private run of the source hides was mapped into the target, too. */
static void note_hidden(const struct block *from, const struct page_run *run)
{
    const struct extent *extent = extent_from(from, run->start);

    for (; extent != NULL && extent_start(extent) < run->end; extent = extent_after(extent)) {
        uintptr_t start = max_address(extent_start(extent), run->start);
        uintptr_t end = min_address(extent_end(extent), run->end);

        store_refilled(extent->store, extent_offset(extent, start), end - start);
    }
}

static void copy_runs(struct snapshot *snapshot, const struct page_run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = runs[i].end - runs[i].start;

        bytes_copy((void *)(runs[i].start + snapshot->shift), (const void *)runs[i].start, size);
        note_hidden(snapshot->from, &runs[i]);
        counter_add(COUNT_bytes_edges, size);
        snapshot->copied += size;
    }
}

static size_t pages_in(const struct page_run *runs, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += runs[i].end - runs[i].start;
    return bytes / page_size;
}

/* What became of the source since it was last copied, if that copy was shared. */
static void measure_source(struct block *from, size_t pages, size_t private_pages)
{
    if (from->measured)
        from->changes = policy_mean(from->changes, (unsigned)(private_pages * SHARE_ONE / pages));
    from->measured = false;
}

static bool uses_huge_store(const struct block *from)
{
    return from->size >= 4 * HUGE_SIZE && storefile_huge_available();
}

static struct facts facts_of(const struct snapshot *snapshot, size_t pages, size_t private_pages)
{
    return (struct facts){
        .policy = (enum config_policy)config_choice(policy),
        .pages = pages,
        .private_pages = private_pages,
        .source_changes = snapshot->from->changes,
        .target_huge = snapshot->to->huge || usage_huge_always(),
        .target_touched = snapshot->target_touched,
        .huge_store = uses_huge_store(snapshot->from),
    };
}

/* Asked once, when the first window is known: it is nearly always all. */
static bool worthwhile(struct snapshot *snapshot, size_t pages, size_t private_pages)
{
    struct record record = site_read(snapshot->site);
    struct facts facts;
    bool shares;

    measure_source(snapshot->from, pages, private_pages);
    facts = facts_of(snapshot, pages, private_pages);
    shares = policy_shares(&facts, &record);
    if (!shares)
        site_note(snapshot->site, false);
    snapshot->decided = true;
    return shares;
}

/* Known without a look at each page of the source: it would not be shared even if nothing of it had to be sealed. */
static bool hopeless(const struct snapshot *snapshot, size_t pages)
{
    struct facts facts = facts_of(snapshot, pages, 0);
    struct record record = site_read(snapshot->site);

    return snapshot->site != 0 && !snapshot->from->measured && !policy_shares(&facts, &record);
}

/* Private runs too short to seal are copied; when that has cost as much as sealing everything anew, do that instead. */
static size_t seal_or_leave(struct snapshot *snapshot, uintptr_t start, uintptr_t end, struct page_run *runs, size_t count,
                            int *error)
{
    struct block *from = snapshot->from;
    size_t left = seal_runs(from, snapshot->look.guard, runs, count, error);

    if (left == 0 || *error != 0)
        return left;
    from->copied_pages += pages_in(runs, left);
    snapshot->to->copied_pages = from->copied_pages; /* it inherits the pages: in a chain of copies the next one copies them again */
    if (!policy_consolidates((end - start) / page_size, from->copied_pages, uses_huge_store(from)))
        return left;
    *error = seal_whole(from, snapshot->look.guard, start, end, runs, left);
    from->copied_pages = 0;
    snapshot->to->copied_pages = 0;
    if (*error == 0)
        return 0;
    if (*error == -ENOSPC) /* that stays a wish: the runs are copied as before */
        *error = 0;
    return left;
}

/* One window: what one scan could list. Returns where it ends, or start when it failed. */
static uintptr_t do_window(struct snapshot *snapshot, uintptr_t start, uintptr_t end, struct page_run *runs, enum reason *why)
{
    uintptr_t walked;
    int found = pagemap_runs(PAGES_PRIVATE, start, end, runs, RUNS, &walked);
    size_t count;
    int error = 0;

    if (found < 0) {
        *why = REASON_no_pagemap;
        return start;
    }
    count = (size_t)found;
    if (!snapshot->decided && snapshot->site != 0 && !worthwhile(snapshot, (walked - start) / page_size, pages_in(runs, count))) {
        *why = REASON_unlikely;
        return start;
    }
    if (count > 0) {
        count = seal_or_leave(snapshot, start, walked, runs, count, &error);
        if (error != 0) {
            *why = reason_of_error(error);
            log_debug("seal failed: error %d", -error);
            return start;
        }
    }
    error = show_window(snapshot, start, walked, runs, count);
    if (error != 0) {
        *why = reason_of_error(error);
        log_debug("view failed: error %d", -error);
        return start;
    }
    copy_runs(snapshot, runs, count);
    return walked;
}

static enum reason look_at_target(struct snapshot *snapshot, uintptr_t target, size_t size)
{
    int touched = pagemap_any(PAGES_TOUCHED, target, target + size);

    if (touched < 0)
        return REASON_no_pagemap;
    snapshot->target_clean = touched == 0 && !extent_any(snapshot->to, target, target + size);
    if (touched == 0)
        return REASON_none;
    target += page_down(size / 2);
    snapshot->target_touched = pagemap_any(PAGES_PRIVATE, target, target + page_size) > 0;
    return REASON_none;
}

static enum reason check(struct snapshot *snapshot, uintptr_t source, uintptr_t target, size_t size)
{
    enum reason why = look_around(&snapshot->look);
    int error;

    if (why != REASON_none)
        return why;
    error = verify_range(snapshot->from, source, source + size);
    if (error == 0)
        error = verify_range(snapshot->to, target, target + size);
    return error != 0 ? reason_of_error(error) : look_at_target(snapshot, target, size);
}

enum reason snapshot_judge(struct block *from, uintptr_t source, struct block *to, uintptr_t target, size_t size,
                           struct observed_verdict *verdict)
{
    struct snapshot snapshot = {.from = from, .to = to, .shift = target - source};
    enum reason why = check(&snapshot, source, target, size);

    verdict->target_touched = snapshot.target_touched;
    verdict->target_huge = to->huge || usage_huge_always();
    verdict->huge_store = uses_huge_store(from);
    return why;
}

/* What was done is noted, not what was tried: the pages of a source that could not be sealed are not rewritten ones. */
static void note_shared(const struct snapshot *snapshot)
{
    snapshot->to->made_by = snapshot->site;
    if (snapshot->decided) {
        site_note(snapshot->site, true);
        snapshot->from->measured = true;
    }
}

size_t snapshot_range(struct block *from, uintptr_t source, struct block *to, uintptr_t target, size_t size, unsigned site,
                      size_t *copied, enum reason *why)
{
    struct snapshot snapshot = {.from = from, .to = to, .shift = target - source, .site = site};
    struct page_run *runs = scratch_take();
    uintptr_t end = source + size;
    uintptr_t at = source;

    *why = runs == NULL ? REASON_no_store : check(&snapshot, source, target, size);
    if (*why == REASON_none) {
        site_fate(from); /* what it was before this seal changes what its pages are */
        site_fate(to);
        if (hopeless(&snapshot, size / page_size)) {
            site_note(site, false);
            *why = REASON_unlikely;
        }
    }
    while (*why == REASON_none && at < end)
        at = do_window(&snapshot, at, end, runs, why);
    if (at > source)
        note_shared(&snapshot);
    *copied = snapshot.copied;
    scratch_give(runs);
    return at - source;
}

enum reason snapshot_seal(struct block *block, uintptr_t start, uintptr_t end)
{
    struct snapshot snapshot = {.from = block};
    struct page_run *runs = scratch_take();
    int error = runs == NULL ? -ENOMEM : verify_range(block, start, end);
    enum reason why = reason_of_error(error);

    while (why == REASON_none && start < end) {
        int found = pagemap_runs(PAGES_PRIVATE, start, end, runs, RUNS, &start);

        why = found < 0 ? REASON_no_pagemap : found > 0 ? look_around(&snapshot.look) : REASON_none;
        if (why != REASON_none || found == 0)
            continue;
        seal_runs(block, snapshot.look.guard, runs, (size_t)found, &error);
        if (error != 0)
            why = reason_of_error(error);
    }
    scratch_give(runs);
    return why;
}
