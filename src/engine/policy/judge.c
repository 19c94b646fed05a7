/* SPDX-License-Identifier: MIT */
#include "engine/policy/judge.h"

#include "base/poison.h"

/* What is expected of a copy of which nothing is known. Into fresh memory, which a native copy would have to fault in as a whole, that is
   little: a large array that is copied once is what saves most, and what it comes to is known before the next one. */
#define LIKELY_WRITTEN (SHARE_ONE / 16)
#define LIKELY_WRITTEN_FRESH (SHARE_ONE / 256)
#define LIKELY_READ (SHARE_ONE / 2)
/* What is paid once for several copies: a seal, pages put where a view was. */
#define REPEATS 8

struct slice {
    int64_t native, plain, shared;
    bool kept; /* by half or more: worth its memory */
};

struct scale {
    const struct facts *facts;
    const struct costs *costs;
    const struct history *target, *source;
    unsigned count;
    struct slice slices[SLICES];
};

static int64_t part(int64_t amount, unsigned share)
{
    return amount * share / (int64_t)SHARE_ONE;
}

static unsigned likely(const struct scale *scale)
{
    return scale->facts->fresh ? LIKELY_WRITTEN_FRESH : LIKELY_WRITTEN;
}

static unsigned written(const struct scale *scale, unsigned slice)
{
    return scale->target == NULL ? likely(scale) : scale->target->target[slice];
}

/* Of a source that was not seen twice nothing speaks against it, unless nothing is known at all. */
static unsigned changed(const struct scale *scale, unsigned slice)
{
    if (scale->source != NULL)
        return scale->source->source[slice];
    return scale->target == NULL ? likely(scale) : 0;
}

/* What a page of the source costs that has to be sealed. */
static int64_t seal_cost(const struct scale *scale)
{
    return scale->facts->huge_store ? scale->costs->seal_huge : scale->costs->seal;
}

/* What is private now and does not change at every copy is sealed once for many. */
static int64_t sealing(const struct scale *scale, unsigned slice, int64_t pages)
{
    int64_t again = part(pages, changed(scale, slice));
    int64_t now = scale->facts->private_pages == NULL ? again : scale->facts->private_pages[slice];
    int64_t once = now > again ? (now - again) / (scale->source == NULL && scale->target == NULL ? 1 : REPEATS) : 0;

    return (again + once) * seal_cost(scale);
}

static void weigh_slice(struct scale *scale, unsigned i)
{
    const struct facts *facts = scale->facts;
    const struct costs *costs = scale->costs;
    int64_t pages = (int64_t)(slice_start(facts->pages, i + 1) - slice_start(facts->pages, i));
    int64_t copy = facts->pages >= COSTS_FAR ? costs->copy_far : costs->copy;
    int64_t fill = facts->huge ? costs->copy : costs->fill;
    int64_t fault = facts->huge ? costs->copy : costs->fault;
    unsigned rewritten = written(scale, i), again = changed(scale, i);
    unsigned read = scale->target == NULL ? LIKELY_READ : scale->target->read;
    bool filled = (facts->filled >> i & 1) != 0, same = (facts->same >> i & 1) != 0;
    struct slice *slice = &scale->slices[i];

    slice->native = pages * copy;
    if (facts->fresh) /* it makes as many pages, and copies as much, as a seal */
        slice->native = pages * (copy + fault > seal_cost(scale) ? copy + fault : seal_cost(scale));
    slice->plain = pages * copy;
    if (!filled)
        slice->plain += pages * fill / (facts->fresh ? 1 : REPEATS);
    slice->shared = part(pages * costs->fault, rewritten) + part(pages * costs->fault, again) +
                    part(pages * costs->read, facts->huge_views || same ? 0 : read) + sealing(scale, i, pages) +
                    (filled ? pages * costs->drop : part(pages * costs->drop, rewritten));
    /* Pages that are there are given up only for what is cheaper: to and fro costs most. */
    slice->kept = rewritten + again <= SHARE_ONE / 2 && !(filled && scale->target != NULL && facts->purse < PURSE_OPEN);
}

static uint64_t bits(unsigned from, unsigned to)
{
    return (~UINT64_C(0) >> (SLICES - (to - from))) << from;
}

static int64_t run_cost(const struct scale *scale, unsigned from, unsigned to)
{
    if ((~scale->facts->same & bits(from, to)) == 0)
        return 0;
    return (int64_t)scale->costs->map + scale->costs->flush;
}

static int64_t sum_of(const struct scale *scale, unsigned from, unsigned to)
{
    int64_t better = 0;

    for (; from < to; from++)
        better += scale->slices[from].plain - scale->slices[from].shared;
    return better;
}

/* A mapping costs something, too: short plain stretches between shared ones are shared with them, and what does not pay for its own is
   plain. */
static uint64_t merge(const struct scale *scale, uint64_t mask, bool drop)
{
    unsigned count = scale->count;

    for (unsigned at = slice_alike(mask, 0, count), end; at < count; at = end) {
        end = slice_alike(mask, at, count);
        if ((mask >> at & 1) == 0 && at > 0 && end < count && sum_of(scale, at, end) >= -run_cost(scale, at, end))
            mask |= bits(at, end);
    }
    for (unsigned at = 0, end; drop && at < count; at = end) {
        end = slice_alike(mask, at, count);
        if ((mask >> at & 1) != 0 && sum_of(scale, at, end) <= run_cost(scale, at, end))
            mask &= ~bits(at, end);
    }
    return mask;
}

static int64_t cost_of(const struct scale *scale, uint64_t mask)
{
    int64_t cost = mask == 0 ? 0 : scale->costs->look;

    for (unsigned at = 0, end; at < scale->count; at = end) {
        end = slice_alike(mask, at, scale->count);
        if ((mask >> at & 1) != 0)
            cost += run_cost(scale, at, end);
        for (unsigned i = at; i < end; i++)
            cost += mask >> i & 1 ? scale->slices[i].shared : scale->slices[i].plain;
    }
    return cost;
}

static int64_t native_of(const struct scale *scale, uint64_t mask)
{
    int64_t native = 0;

    for (unsigned i = 0; i < scale->count; i++)
        native += mask >> i & 1 ? scale->slices[i].native : 0;
    return native;
}

/* What is cheaper than a plain copy; and what saves memory as well, where the purse allows it, or without us fresh memory would have cost
   as much. */
static uint64_t pick(const struct scale *scale)
{
    const struct facts *facts = scale->facts;
    uint64_t cheap = 0, worth = 0;
    int64_t native = native_of(scale, slice_all(facts->pages));
    int64_t least;

    for (unsigned i = 0; i < scale->count; i++) {
        cheap |= (uint64_t)(scale->slices[i].shared < scale->slices[i].plain) << i;
        worth |= (uint64_t)scale->slices[i].kept << i;
    }
    worth = merge(scale, worth | cheap, false);
    cheap = merge(scale, cheap, true);
    if (cost_of(scale, cheap) >= cost_of(scale, 0))
        cheap = 0;
    least = cost_of(scale, cheap);
    if (facts->fresh && native > least)
        least = native;
    return facts->policy == POLICY_BALANCED && cost_of(scale, worth) <= least + facts->purse ? worth : cheap;
}

/* Whether what was lost with this history is less than what a plain copy costs at first, where the target has no pages. */
static bool bears(const struct scale *scale)
{
    const struct facts *facts = scale->facts;
    unsigned empty = scale->count - (unsigned)__builtin_popcountll(facts->filled);
    int64_t fill = facts->huge ? scale->costs->copy : scale->costs->fill;

    return scale->target == NULL || facts->purse >= PURSE_OPEN ||
           scale->target->debt <= (int64_t)facts->pages * fill * empty / scale->count;
}

struct judgement judge_slices(const struct facts *facts, const struct costs *costs, const struct history *target,
                              const struct history *source)
{
    struct judgement judgement = {.known = target != NULL};
    struct scale scale; /* of two kilobytes, which nobody has to zero first */

    scale.facts = facts;
    scale.costs = costs;
    scale.target = target;
    scale.source = source;
    scale.count = slice_count(facts->pages);
    for (unsigned i = 0; i < scale.count; i++)
        weigh_slice(&scale, i);
    if (facts->policy == POLICY_MEMORY)
        judgement.shared = slice_all(facts->pages);
    else if (facts->policy == POLICY_SPEED && target == NULL)
        judgement.shared = 0;
    else if (bears(&scale))
        judgement.shared = pick(&scale);
    judgement.native = native_of(&scale, judgement.shared);
    return judgement;
}
