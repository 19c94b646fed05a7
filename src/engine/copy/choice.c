/* SPDX-License-Identifier: MIT */
#include "engine/copy/choice.h"

#include "engine/policy/facts.h"
#include "engine/policy/sample.h"
#include "engine/store/extent.h"
#include "kernel/costs.h"

#include "base/poison.h"

static bool asked(const struct work *work)
{
    return work->ask->place.keys[0] != 0;
}

enum reason choice_look_at_target(struct work *work)
{
    uintptr_t start = work->ask->target, end = start + work->ask->size;
    bool shows = extent_any(work->showing.to, start, end);
    int touched = shows ? 1 : pagemap_any(PAGES_TOUCHED, start, end);

    if (touched < 0)
        return REASON_no_pagemap;
    work->showing.target_clean = touched == 0;
    return REASON_none;
}

bool choice_target_filled(const struct work *work)
{
    uintptr_t middle = work->ask->target + page_down(work->ask->size / 2);

    return !work->showing.target_clean && pagemap_any(PAGES_PRIVATE, middle, middle + page_size) > 0;
}

/* Whether nothing of the source would be shared even if nothing of it had to be sealed. That is decided without looking at the source. */
static bool hopeless(struct work *work)
{
    work->venture.private_pages = NULL;
    work->judgement = fate_decide(&work->venture);
    return work->judgement.shared == 0;
}

enum reason choice_expect(struct work *work)
{
    enum reason why = choice_look_at_target(work);

    if (why != REASON_none)
        return why;
    work->venture.fresh = work->showing.target_clean;
    if (!asked(work)) {
        work->judgement.shared = slice_all(work->venture.pages);
        return REASON_none;
    }
    work->venture.filled = !facts_traced(&work->venture) && choice_target_filled(work);
    work->ask->filled = facts_filled(&work->venture);
    fate_of_copy(work->showing.from); /* a seal would change which of its pages are private */
    if (work->showing.to != work->showing.from)
        fate_end(work->showing.to);
    return hopeless(work) ? REASON_unlikely : REASON_none;
}

/* Scans the source as far as one window reaches, which is nearly always to the end. Then the policy decides again, knowing the private
   pages, and only of slices that were scanned. */
enum reason choice_decide(struct work *work)
{
    unsigned count = slice_count(work->venture.pages);
    unsigned first = 0;
    unsigned last = count;
    uintptr_t start;

    while ((work->judgement.shared >> first & 1) == 0)
        first++;
    while ((work->judgement.shared >> (last - 1) & 1) == 0)
        last--;
    start = choice_address(work, first);
    if (window_scan(&work->window, start, choice_address(work, last)) != 0)
        return REASON_no_pagemap;
    if (!asked(work))
        return REASON_none;
    sample_add(work->ask->source, work->venture.pages, work->window.runs, work->window.count, work->private_pages);
    while (first < last && choice_address(work, first + 1) <= work->window.end)
        work->scanned |= UINT64_C(1) << first++;
    fate_of_source(&work->venture, work->private_pages, work->scanned);
    work->venture.private_pages = work->private_pages;
    if (first < last) /* more private runs than fit into the window: then the first decision stands */
        return REASON_none;
    work->judgement = fate_decide(&work->venture);
    work->judgement.shared &= work->scanned;
    return work->judgement.shared == 0 ? REASON_unlikely : REASON_none;
}

void choice_note(struct work *work, uint64_t since)
{
    struct snapshot *ask = work->ask;
    uint64_t all = slice_all(work->venture.pages);

    for (unsigned i = 0; i < slice_count(work->venture.pages); i++)
        if (choice_address(work, i + 1) > ask->source + ask->done)
            work->judgement.shared &= ~(UINT64_C(1) << i);
    ask->plain = all & ~work->judgement.shared;
    since = costs_clock() - since;
    if (work->judgement.shared != 0)
        costs_note_look(since - work->sealing.spent);
    if (work->venture.fresh) /* a native copy would have made as many pages, and the seal is paid once for all later copies */
        since -= work->sealing.spent;
    fate_begin(&work->venture, &work->judgement, since);
}
