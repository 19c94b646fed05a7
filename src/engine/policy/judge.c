/* SPDX-License-Identifier: MIT */
#include "engine/policy/judge.h"

#include "base/poison.h"

/* The share of pages that is expected to be rewritten while nothing is known. It is small for fresh memory, which a native copy would have
   to fault in as a whole: a large array that is copied once is what saves most, and its fate is known before the next one is copied. */
#define LIKELY_WRITTEN (SHARE_ONE / 16)
#define LIKELY_WRITTEN_FRESH (SHARE_ONE / 256)
#define LIKELY_READ (SHARE_ONE / 2)
/* A seal is paid once and serves about so many copies; and so many are made the same way when once one was plain. */
#define REPEATS 8
#define REPEATS_PLAIN 32

struct slice {
    int64_t native, plain, shared;
    int64_t change; /* of plain: pages that have to be made or read first, which is shared out among several copies there */
    bool kept;      /* by half or more: worth its memory */
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
    return scale->target == NULL ? likely(scale) : history_forecast(&scale->target->target, slice);
}

/* The share of the slice's pages that the program is expected to change in the source between two copies. Where only targets are known the
   source counts as unchanged. */
static unsigned changed(const struct scale *scale, unsigned slice)
{
    if (scale->source != NULL)
        return history_forecast(&scale->source->source, slice);
    return scale->target == NULL ? likely(scale) : 0;
}

/* What a page of the source costs that has to be sealed. */
static int64_t seal_cost(const struct scale *scale)
{
    return scale->facts->huge_store ? scale->costs->seal_huge : scale->costs->seal;
}

/* What a page costs that is copied plainly: as it was here before, or else as it is on average for so many pages. */
static int64_t copy_cost(const struct scale *scale)
{
    if (scale->target != NULL && scale->target->plain > 0)
        return scale->target->plain;
    return scale->facts->pages >= COSTS_FAR ? scale->costs->copy_far : scale->costs->copy;
}

/* What sealing the slice costs this copy: all of what changes at every copy, and a part of what is sealed once for many. */
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
    int64_t copy = copy_cost(scale);
    int64_t fill = facts->huge ? costs->copy : costs->fill;
    int64_t fault = facts->huge ? costs->copy : costs->fault;
    unsigned rewritten = written(scale, i), again = changed(scale, i);
    unsigned read = scale->target == NULL ? LIKELY_READ : scale->target->read;
    bool filled = (facts->filled >> i & 1) != 0, same = (facts->same >> i & 1) != 0;
    struct slice *slice = &scale->slices[i];

    slice->native = pages * copy;
    if (facts->fresh) /* a copy into fresh memory makes as many pages, and copies as much, as a seal does */
        slice->native = pages * (copy + fault > seal_cost(scale) ? copy + fault : seal_cost(scale));
    slice->change = filled || facts->fresh ? 0 : pages * fill;
    if ((facts->unread >> i & 1) != 0)
        slice->change += part(pages * costs->read, SHARE_ONE - read);
    slice->plain = pages * copy + slice->change / (facts->covered ? 1 : REPEATS_PLAIN) + (facts->fresh ? pages * fill : 0);
    slice->shared = part(pages * costs->fault, rewritten) + part(pages * costs->fault, again) +
                    part(pages * costs->read, facts->huge_views || same ? 0 : read) + sealing(scale, i, pages) +
                    (filled ? pages * costs->drop : part(pages * costs->drop, rewritten));
    /* Pages that the target has are given up only for what is cheaper, because changing to and fro costs most. */
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

/* Saves mappings, each of which costs something: a short plain stretch between two shared ones is shared with them, and with drop a shared
   stretch that does not pay for its own mapping becomes plain. */
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

/* The slices that are cheaper to share than to copy; or also those that only save memory, where the purse allows their price or a native
   copy into fresh memory would have cost as much. */
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

static int64_t change_of(const struct scale *scale, uint64_t mask)
{
    int64_t change = 0;

    for (unsigned i = 0; i < scale->count; i++)
        change += mask >> i & 1 ? scale->slices[i].change : 0;
    return change;
}

/* Whether this history's debt is more than a change to plain copies costs; once it was, any debt is too much. */
static bool ruined(const struct scale *scale)
{
    const struct facts *facts = scale->facts;

    if (scale->target == NULL || facts->purse >= PURSE_OPEN)
        return false;
    return scale->target->debt > (scale->target->ruined ? 0 : change_of(scale, slice_all(facts->pages)));
}

struct judgement judge_slices(const struct facts *facts, const struct costs *costs, const struct history *target,
                              const struct history *source)
{
    struct judgement judgement = {.known = target != NULL};
    struct scale scale; /* two kilobytes, which need not be zeroed: every member that is read is set below */

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
    else if (!(judgement.ruined = ruined(&scale)))
        judgement.shared = pick(&scale);
    judgement.same = judgement.shared & facts->same;
    judgement.native = native_of(&scale, judgement.shared);
    judgement.change = change_of(&scale, slice_all(facts->pages) & ~judgement.shared);
    return judgement;
}
