/* SPDX-License-Identifier: MIT */
#include "engine/policy/facts.h"

#include "base/config.h"
#include "base/page.h"
#include "engine/store/extent.h"
#include "kernel/pressure.h"
#include "kernel/storefile.h"
#include "kernel/usage.h"

#include "base/poison.h"

static uint64_t complement(const struct trace *trace)
{
    return slice_all(trace->pages) & ~trace->shared;
}

bool facts_huge_store(const struct block *from)
{
    return from->size >= 4 * HUGE_SIZE && storefile_huge_available();
}

bool facts_huge(const struct block *to)
{
    return to->huge || usage_huge_always();
}

/* A view in huge pages lies as its store does. */
bool facts_huge_views(const struct venture *venture)
{
    return facts_huge_store(venture->from) && venture->shift % HUGE_SIZE == 0;
}

static uint64_t same_slices(const struct venture *venture)
{
    uint64_t same = 0;

    if (venture->from->extents_count == 0 || venture->to->extents_count == 0)
        return 0;
    for (unsigned i = 0; i < slice_count(venture->pages); i++) {
        uintptr_t start = venture->source + slice_start(venture->pages, i) * page_size;
        uintptr_t end = venture->source + slice_start(venture->pages, i + 1) * page_size;

        same |= (uint64_t)extent_same(venture->from, start, end, venture->to, venture->shift) << i;
    }
    return same;
}

static bool is_of(const struct trace *trace, uintptr_t start, size_t pages)
{
    return trace->pages == pages && trace->start == start;
}

bool facts_traced(const struct venture *venture)
{
    return is_of(&venture->to->made, venture->source + venture->shift, venture->pages);
}

/* What was shared at the last copy of the source, or was copied into it by sharing if there was none since. */
static uint64_t unread_slices(const struct venture *venture)
{
    const struct trace *made = &venture->from->made, *given = &venture->from->given;

    if (is_of(given, venture->source, venture->pages))
        return given->shared;
    return is_of(made, venture->source, venture->pages) && !made->huge ? made->shared : 0;
}

uint64_t facts_filled(const struct venture *venture)
{
    if (facts_traced(venture))
        return complement(&venture->to->made);
    return venture->filled ? slice_all(venture->pages) : 0;
}

static bool is_covered(const struct venture *venture)
{
    uintptr_t target = venture->source + venture->shift;

    return !facts_traced(venture) && extent_any(venture->to, target, target + venture->pages * page_size);
}

struct facts facts_of(const struct venture *venture)
{
    return (struct facts){
        .policy = (enum config_policy)config_choice(policy),
        .pages = venture->pages,
        .fresh = venture->fresh && venture->to->made.pages == 0,
        .huge = facts_huge(venture->to),
        .huge_store = facts_huge_store(venture->from),
        .huge_views = facts_huge_views(venture),
        .filled = facts_filled(venture),
        .covered = is_covered(venture),
        .unread = unread_slices(venture),
        .same = same_slices(venture),
        .private_pages = venture->private_pages,
    };
}

bool facts_press(const struct venture *venture)
{
    return venture->private_pages == NULL && config_choice(policy) == POLICY_BALANCED && pressure_high();
}
