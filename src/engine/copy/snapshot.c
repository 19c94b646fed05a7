/* SPDX-License-Identifier: MIT */
#include "engine/copy/snapshot.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/log.h"
#include "engine/copy/choice.h"
#include "engine/copy/verify.h"
#include "engine/memory/drop.h"
#include "engine/policy/facts.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "kernel/map.h"

#include "base/poison.h"

static int share_stretch(struct work *work, uintptr_t start, uintptr_t end)
{
    size_t count;
    struct page_run *runs = window_take(&work->window, start, end, &count);
    int error = 0;

    if (count > 0)
        count = consolidate_runs(&work->sealing, runs, count, &error);
    if (error != 0) {
        if (error != -ERESTART)
            log_debug("seal failed: error %d", -error);
        return error;
    }
    return show_range(&work->showing, start, end, runs, count, &work->ask->copied);
}

/* How far to go before looking whether somebody waits. */
#define STEP HUGE_SIZE
#define FAR (32 * STEP)

/* Prepares a stretch that the caller will copy plainly: makes its pages present, so that the copy does not fault them in one by one. */
static int leave_stretch(struct work *work, uintptr_t start, uintptr_t end)
{
    uintptr_t from = start + work->showing.shift, to = end + work->showing.shift;
    bool shows = extent_any(work->showing.to, from, to);
    int error = shows ? drop_views(work->showing.to, from, to) : 0;

    if (error != 0)
        return error;
    for (; (shows || work->showing.target_clean) && from < to && !entry_wanted(); from += STEP)
        map_populate_write(from, min_address(to, from + STEP) - from);
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

    if (work->resumes) /* what lies far ahead would be scanned again after the next time */
        end = min_address(end, start + FAR);
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
    if (error == -ERESTART)
        work->ask->again = true;
    else
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
    error = verify_range(work->showing.from, ask->source + ask->done, ask->source + ask->size); /* what is done is not touched again */
    if (error == 0)
        error = verify_range(work->showing.to, ask->target + ask->done, ask->target + ask->size);
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
    verdict->target_huge = facts_huge(ask->to);
    verdict->huge_store = facts_huge_store(ask->from);
    return why;
}

/* Goes on as was judged when it began. */
static void resume(struct work *work)
{
    const struct snapshot *ask = work->ask;

    work->resumes = true;
    work->judgement = ask->judgement;
    work->venture.fresh = ask->fresh;
    work->sealing.spent = ask->sealing;
}

static void break_off(const struct work *work, uint64_t since)
{
    struct snapshot *ask = work->ask;

    ask->judgement = work->judgement;
    ask->plain = slice_all(work->venture.pages) & ~work->judgement.shared;
    ask->fresh = work->venture.fresh;
    ask->sealing = work->sealing.spent;
    ask->spent = costs_clock() - since;
}

static enum reason do_stretches(struct work *work)
{
    struct snapshot *ask = work->ask;
    uintptr_t at = ask->source + ask->done, end = ask->source + ask->size, looked = at;
    enum reason why = REASON_none;

    while (why == REASON_none && !ask->again && at < end) {
        at = do_stretch(work, at, &why);
        if (at - looked >= STEP && at < end) {
            ask->again = ask->again || (why == REASON_none && entry_wanted());
            looked = at;
        }
    }
    ask->done = at - ask->source;
    return why;
}

enum reason snapshot_range(struct snapshot *ask)
{
    uint64_t since = costs_clock() - ask->spent;
    struct work work;
    enum reason why = REASON_no_store;

    begin(&work, ask);
    if (ask->again)
        resume(&work);
    ask->again = false;
    if (window_open(&work.window))
        why = work.resumes ? choice_look_at_target(&work) : choice_expect(&work);
    if (why == REASON_none)
        why = check(&work);
    if (why == REASON_none && !work.resumes)
        why = choice_decide(&work);
    if (why == REASON_unlikely)
        fate_of_source(&work.venture, NULL, 0);
    if (why == REASON_none)
        why = do_stretches(&work);
    if (ask->again)
        break_off(&work, since);
    else if (ask->done > 0 || why == REASON_unlikely)
        choice_note(&work, since);
    window_close(&work.window);
    return why;
}
