/* SPDX-License-Identifier: MIT */
#include "engine/copy/snapshot.h"

#include "base/bytes.h"
#include "base/log.h"
#include "engine/copy/choice.h"
#include "engine/copy/verify.h"
#include "engine/memory/drop.h"
#include "engine/policy/facts.h"
#include "engine/store/extent.h"
#include "kernel/costs.h"
#include "kernel/map.h"
#include "kernel/usage.h"

#include "base/poison.h"

static int share_stretch(struct work *work, uintptr_t start, uintptr_t end)
{
    size_t count;
    struct page_run *runs = window_take(&work->window, start, end, &count);
    int error = 0;

    if (count > 0)
        count = consolidate_runs(&work->sealing, runs, count, &error);
    if (error != 0) {
        log_debug("seal failed: error %d", -error);
        return error;
    }
    return show_range(&work->showing, start, end, runs, count, &work->ask->copied);
}

/* Prepares a stretch that the caller will copy plainly: makes its pages present, so that the copy does not fault them in one by one. */
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
    unsigned count = slice_count(work->venture.pages), slice = choice_slice(work, start);
    uintptr_t end = choice_address(work, slice_alike(work->judgement.shared, slice, count));
    bool shared = (work->judgement.shared >> slice & 1) != 0;
    int error = 0;

    if (shared && start >= work->window.end)
        error = window_scan(&work->window, start, end);
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

static enum reason check(struct work *work)
{
    const struct snapshot *ask = work->ask;
    enum reason why = look_around(&work->look);
    int error;

    if (why != REASON_none)
        return why;
    work->sealing.guard = work->look.guard;
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
    work->sealing.from = ask->from;
    work->sealing.to = ask->to;
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
        why = choice_look_at_target(&work);
    verdict->target_touched = why == REASON_none && choice_target_filled(&work);
    verdict->target_huge = ask->to->huge || usage_huge_always();
    verdict->huge_store = facts_huge_store(ask->from);
    return why;
}

enum reason snapshot_range(struct snapshot *ask)
{
    uint64_t since = costs_clock();
    struct work work;
    enum reason why;
    uintptr_t at = ask->source;

    begin(&work, ask);
    why = window_open(&work.window) ? choice_expect(&work) : REASON_no_store;
    if (why == REASON_none)
        why = check(&work);
    if (why == REASON_none)
        why = choice_decide(&work);
    if (why == REASON_unlikely)
        fate_of_source(&work.venture, NULL, 0);
    while (why == REASON_none && at < ask->source + ask->size)
        at = do_stretch(&work, at, &why);
    ask->done = at - ask->source;
    if (ask->done > 0 || why == REASON_unlikely)
        choice_note(&work, since);
    window_close(&work.window);
    return why;
}
