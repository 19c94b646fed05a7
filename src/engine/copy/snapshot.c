/* SPDX-License-Identifier: MIT */
#include "engine/copy/snapshot.h"

#include <errno.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/log.h"
#include "engine/memory/drop.h"
#include "engine/memory/look.h"
#include "engine/store/extent.h"
#include "engine/policy/fate.h"
#include "engine/policy/sample.h"
#include "engine/copy/seal.h"
#include "engine/copy/show.h"
#include "engine/copy/verify.h"
#include "kernel/costs.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"
#include "kernel/storefile.h"
#include "kernel/usage.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

#define RUNS (SCRATCH_SIZE / sizeof(struct page_run))

/* What one scan of the source could list: its private runs, not used up yet. */
struct window {
    uintptr_t end; /* how far it reaches */
    struct page_run *runs, *buffer;
    size_t count;
    struct page_run rest; /* of the last one that was used; empty when it ends before it starts */
};

/* A snapshot under way. */
struct work {
    struct snapshot *ask;
    struct showing showing;
    struct look look;
    struct venture venture;
    struct judgement judgement;
    bool target_touched; /* the target was in use */
    struct window window;
    uint64_t sealing;               /* nanoseconds that it took */
    uint64_t scanned;               /* slices of the source that were looked at */
    uint32_t private_pages[SLICES]; /* in these */
};

static size_t pages_in(const struct page_run *runs, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += runs[i].end - runs[i].start;
    return bytes / page_size;
}

static bool uses_huge_store(const struct block *from)
{
    return from->size >= 4 * HUGE_SIZE && storefile_huge_available();
}

static bool asked(const struct work *work)
{
    return work->ask->place.keys[0] != 0;
}

static uintptr_t slice_address(const struct work *work, unsigned slice)
{
    return work->ask->source + slice_start(work->venture.pages, slice) * page_size;
}

static unsigned slice_at(const struct work *work, uintptr_t address)
{
    return slice_of(work->venture.pages, (address - work->ask->source) / page_size);
}

/* Known without a look at the source: nothing of it would be shared even if nothing had to be sealed. */
static bool hopeless(struct work *work)
{
    work->venture.private_pages = NULL;
    work->judgement = fate_decide(&work->venture);
    return work->judgement.shared == 0;
}

static int scan(struct work *work, uintptr_t start, uintptr_t end)
{
    struct window *window = &work->window;
    int found = pagemap_runs(PAGES_PRIVATE, start, end, window->buffer, RUNS, &window->end);

    window->runs = window->buffer;
    window->rest = (struct page_run){0, 0};
    window->count = found < 0 ? 0 : (size_t)found;
    return found < 0 ? found : 0;
}

/* The first window of what the policy would share: nearly always all of it. Then it decides again, and does not choose what nobody has
   looked at. */
static enum reason decide(struct work *work)
{
    unsigned count = slice_count(work->venture.pages);
    unsigned first = 0;
    unsigned last = count;
    uintptr_t start;

    while ((work->judgement.shared >> first & 1) == 0)
        first++;
    while ((work->judgement.shared >> (last - 1) & 1) == 0)
        last--;
    start = slice_address(work, first);
    if (scan(work, start, slice_address(work, last)) != 0)
        return REASON_no_pagemap;
    if (!asked(work))
        return REASON_none;
    sample_add(work->ask->source, work->venture.pages, work->window.runs, work->window.count, work->private_pages);
    while (first < last && slice_address(work, first + 1) <= work->window.end)
        work->scanned |= UINT64_C(1) << first++;
    fate_of_source(&work->venture, work->private_pages, work->scanned);
    work->venture.private_pages = work->private_pages;
    if (first < last) /* more runs than fit: most of a large source is scattered, and what is not known is like what is */
        return REASON_none;
    work->judgement = fate_decide(&work->venture);
    work->judgement.shared &= work->scanned;
    return work->judgement.shared == 0 ? REASON_unlikely : REASON_none;
}

/* Private runs too short to seal are copied; when that has cost as much as sealing all from the first to the last anew, do that instead. */
static size_t seal_or_leave(struct work *work, struct page_run *runs, size_t count, int *error)
{
    struct block *from = work->showing.from;
    uint64_t before = costs_clock();
    size_t pages = pages_in(runs, count);
    size_t left = seal_runs(from, work->look.guard, runs, count, error);
    uintptr_t start, end;
    struct costs costs;

    before = costs_clock() - before;
    work->sealing += before;
    costs_note_seal(before, pages - pages_in(runs, left), uses_huge_store(from));
    if (left == 0 || *error != 0)
        return left;
    from->copied_pages += pages_in(runs, left);
    work->showing.to->copied_pages = from->copied_pages; /* it inherits the pages: in a chain of copies the next one copies them again */
    costs_read(&costs);
    start = runs[0].start;
    end = runs[left - 1].end;
    if (!policy_consolidates((end - start) / page_size, from->copied_pages, &costs, uses_huge_store(from) && end - start >= 4 * HUGE_SIZE))
        return left;
    *error = seal_whole(from, work->look.guard, start, end, runs, left);
    from->copied_pages = 0;
    work->showing.to->copied_pages = 0;
    if (*error == 0)
        return 0;
    if (*error == -ENOSPC) /* that stays a wish: the runs are copied as before */
        *error = 0;
    return left;
}

/* The runs of the window that lie in [start, end), cut to it, for the caller to use up. Of one that goes on behind, the rest comes next. */
static struct page_run *take_runs(struct window *window, uintptr_t start, uintptr_t end, size_t *count)
{
    struct page_run *first;

    if (window->rest.start < window->rest.end) {
        *--window->runs = window->rest;
        window->count++;
        window->rest.end = 0;
    }
    while (window->count > 0 && window->runs->end <= start) {
        window->runs++;
        window->count--;
    }
    first = window->runs;
    for (*count = 0; window->count > 0 && window->runs->start < end; ++*count) {
        struct page_run *run = window->runs++;

        window->count--;
        window->rest = (struct page_run){end, run->end};
        run->start = max_address(run->start, start);
        run->end = min_address(run->end, end);
    }
    return first;
}

static int share_stretch(struct work *work, uintptr_t start, uintptr_t end)
{
    size_t count;
    struct page_run *runs = take_runs(&work->window, start, end, &count);
    int error = 0;

    if (count > 0)
        count = seal_or_leave(work, runs, count, &error);
    if (error != 0) {
        log_debug("seal failed: error %d", -error);
        return error;
    }
    return show_range(&work->showing, start, end, runs, count, &work->ask->copied);
}

/* What the caller will copy: into pages that are there, so that it does not fault them in one by one. */
static int leave_stretch(struct work *work, uintptr_t start, uintptr_t end)
{
    uintptr_t from = start + work->showing.shift, to = end + work->showing.shift;
    bool shows = extent_any(work->showing.to, from, to);
    int error = shows ? drop_views(work->showing.to, from, to) : 0;

    if (error != 0)
        return error;
    if (shows || work->showing.target_clean)
        map_populate_write(from, to - from);
    work->ask->plain_bytes += end - start;
    return 0;
}

/* Slices of one kind, as far as the window reaches. Returns where it ends, or start when it failed. */
static uintptr_t do_stretch(struct work *work, uintptr_t start, enum reason *why)
{
    unsigned count = slice_count(work->venture.pages), slice = slice_at(work, start);
    uintptr_t end = slice_address(work, slice_alike(work->judgement.shared, slice, count));
    bool shared = (work->judgement.shared >> slice & 1) != 0;
    int error = 0;

    if (shared && start >= work->window.end)
        error = scan(work, start, end);
    if (error != 0) {
        *why = REASON_no_pagemap;
        return start;
    }
    if (shared)
        end = min_address(end, work->window.end);
    error = shared ? share_stretch(work, start, end) : leave_stretch(work, start, end);
    if (error == 0)
        return end;
    *why = reason_of_error(error);
    return start;
}

static enum reason look_at_target(struct work *work)
{
    uintptr_t target = work->ask->target;
    size_t size = work->ask->size;
    int touched = pagemap_any(PAGES_TOUCHED, target, target + size);

    if (touched < 0)
        return REASON_no_pagemap;
    work->showing.target_clean = touched == 0 && !extent_any(work->showing.to, target, target + size);
    if (touched == 0)
        return REASON_none;
    target += page_down(size / 2);
    work->target_touched = pagemap_any(PAGES_PRIVATE, target, target + page_size) > 0;
    return REASON_none;
}

static enum reason check(struct work *work)
{
    const struct snapshot *ask = work->ask;
    enum reason why = look_around(&work->look);
    int error;

    if (why != REASON_none)
        return why;
    error = verify_range(work->showing.from, ask->source, ask->source + ask->size);
    if (error == 0)
        error = verify_range(work->showing.to, ask->target, ask->target + ask->size);
    return error != 0 ? reason_of_error(error) : REASON_none;
}

static void begin(struct work *work, struct snapshot *ask)
{
    bytes_fill(work, 0, sizeof *work);
    work->ask = ask;
    work->showing.from = ask->from;
    work->showing.to = ask->to;
    work->showing.shift = ask->target - ask->source;
    work->venture = (struct venture){.from = ask->from,
                                     .to = ask->to,
                                     .source = ask->source,
                                     .shift = work->showing.shift,
                                     .pages = ask->size / page_size,
                                     .place = ask->place};
}

enum reason snapshot_judge(const struct snapshot *ask, struct observed_verdict *verdict)
{
    struct snapshot same = *ask;
    struct work work;
    enum reason why;

    begin(&work, &same);
    why = check(&work);
    if (why == REASON_none)
        why = look_at_target(&work);
    verdict->target_touched = work.target_touched;
    verdict->target_huge = ask->to->huge || usage_huge_always();
    verdict->huge_store = uses_huge_store(ask->from);
    return why;
}

/* What the policy says before the kernel is asked anything that costs more than a moment. */
static enum reason expect(struct work *work)
{
    enum reason why = look_at_target(work);

    if (why != REASON_none)
        return why;
    work->venture.fresh = work->showing.target_clean;
    work->venture.filled = work->target_touched;
    if (!asked(work)) {
        work->judgement.shared = slice_all(work->venture.pages);
        return REASON_none;
    }
    fate_of_copy(work->showing.from); /* what it was before this seal changes what its pages are */
    if (work->showing.to != work->showing.from)
        fate_end(work->showing.to);
    return hopeless(work) ? REASON_unlikely : REASON_none;
}

/* What was done is noted, not what was tried. */
static void note(struct work *work, uint64_t since)
{
    struct snapshot *ask = work->ask;
    uint64_t all = slice_all(work->venture.pages);

    for (unsigned i = 0; i < slice_count(work->venture.pages); i++)
        if (slice_address(work, i + 1) > ask->source + ask->done)
            work->judgement.shared &= ~(UINT64_C(1) << i);
    ask->plain = all & ~work->judgement.shared;
    since = costs_clock() - since;
    if (work->judgement.shared != 0)
        costs_note_look(since - work->sealing);
    if (work->showing.target_clean) /* a native copy makes as many pages, at a price that is paid only once to be known */
        since -= work->sealing;
    fate_begin(&work->venture, &work->judgement, since);
}

enum reason snapshot_range(struct snapshot *ask)
{
    uint64_t since = costs_clock();
    struct work work;
    enum reason why;
    uintptr_t at = ask->source;

    begin(&work, ask);
    work.window.buffer = scratch_take();
    why = work.window.buffer == NULL ? REASON_no_store : expect(&work);
    if (why == REASON_none)
        why = check(&work);
    if (why == REASON_none)
        why = decide(&work);
    if (why == REASON_unlikely)
        fate_of_source(&work.venture, NULL, 0);
    while (why == REASON_none && at < ask->source + ask->size)
        at = do_stretch(&work, at, &why);
    ask->done = at - ask->source;
    if (ask->done > 0 || why == REASON_unlikely)
        note(&work, since);
    scratch_give(work.window.buffer);
    return why;
}

enum reason snapshot_seal(struct block *block, uintptr_t start, uintptr_t end)
{
    struct look look = {NULL};
    struct page_run *runs = scratch_take();
    int error = runs == NULL ? -ENOMEM : verify_range(block, start, end);
    enum reason why = error == 0 ? REASON_none : reason_of_error(error);

    while (why == REASON_none && start < end) {
        int found = pagemap_runs(PAGES_PRIVATE, start, end, runs, RUNS, &start);

        why = found < 0 ? REASON_no_pagemap : found > 0 ? look_around(&look) : REASON_none;
        if (why != REASON_none || found == 0)
            continue;
        seal_runs(block, look.guard, runs, (size_t)found, &error);
        if (error != 0)
            why = reason_of_error(error);
    }
    scratch_give(runs);
    return why;
}
