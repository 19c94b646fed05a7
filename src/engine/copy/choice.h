/* SPDX-License-Identifier: MIT */
/* A snapshot under way, and the choice which of its slices are shared: what the policy is told and says, and what it learns. */
#ifndef COWSHIM_ENGINE_CHOICE_H
#define COWSHIM_ENGINE_CHOICE_H

#include "base/page.h"
#include "engine/copy/consolidate.h"
#include "engine/copy/show.h"
#include "engine/copy/snapshot.h"
#include "engine/copy/window.h"
#include "engine/memory/look.h"
#include "engine/policy/fate.h"

struct work {
    struct snapshot *ask;
    bool resumes; /* it was broken off before */
    struct showing showing;
    struct look look;
    struct venture venture;
    struct judgement judgement;
    struct window window;
    struct consolidation sealing;
    uint64_t scanned;               /* slices of the source that were looked at */
    uint32_t private_pages[SLICES]; /* in these */
};

static inline uintptr_t choice_address(const struct work *work, unsigned slice)
{
    return work->ask->source + slice_start(work->venture.pages, slice) * page_size;
}

static inline unsigned choice_slice(const struct work *work, uintptr_t address)
{
    return slice_of(work->venture.pages, (address - work->ask->source) / page_size);
}

/* Looks whether the target is untouched, which views rule out without a question to the kernel. */
enum reason choice_look_at_target(struct work *work);
/* Whether the target has pages of its own, judged by the one in the middle. */
bool choice_target_filled(const struct work *work);
/* What the policy says before the kernel is asked anything that costs more than a moment. */
enum reason choice_expect(struct work *work);
/* What it says when the private pages of the source are known, as far as one window reaches: opens that. */
enum reason choice_decide(struct work *work);
/* Notes what was done, not what was tried; since: when it began. */
void choice_note(struct work *work, uint64_t since);

#endif
