/* SPDX-License-Identifier: MIT */
#include "engine/policy/history.h"

#include "base/poison.h"

/* The part of time that sharing may cost. */
#define TWENTIETH 20
/* The doubts at which all that was known of a target is forgotten. */
#define DOUBTS 8

unsigned slice_count(size_t pages)
{
    if (pages >= SLICES * SLICE_PAGES)
        return SLICES;
    return pages < SLICE_PAGES ? 1 : (unsigned)(pages / SLICE_PAGES);
}

size_t slice_start(size_t pages, unsigned slice)
{
    return (size_t)((uint64_t)pages * slice / slice_count(pages));
}

unsigned slice_of(size_t pages, size_t page)
{
    return (unsigned)(((uint64_t)(page + 1) * slice_count(pages) - 1) / pages);
}

uint64_t slice_all(size_t pages)
{
    return ~UINT64_C(0) >> (SLICES - slice_count(pages));
}

unsigned slice_alike(uint64_t mask, unsigned slice, unsigned count)
{
    uint64_t first = mask >> slice & 1;

    while (slice < count && (mask >> slice & 1) == first)
        slice++;
    return slice;
}

/* A value weighs one part in so many; what one page says of all of its slice weighs less. */
#define WEIGHT 4
#define WEIGHT_OF_SAMPLE 16

static uint16_t mean(uint16_t before, uint16_t value, unsigned weight)
{
    return (uint16_t)(((weight - 1) * before + value + (value > before ? weight - 1 : 0)) / weight);
}

static void count(uint16_t *counter)
{
    if (*counter < UINT16_MAX)
        ++*counter;
}

static void learn_slice(uint16_t *share, uint16_t value, bool first, bool sampled)
{
    if (sampled)
        *share = mean(first ? SHARE_ONE : *share, value, WEIGHT_OF_SAMPLE);
    else
        *share = first ? value : mean(*share, value, WEIGHT);
}

static uint64_t squared(uint16_t forecast, uint16_t value)
{
    int64_t error = (int64_t)forecast - value;

    return (uint64_t)(error * error);
}

static void learn_error(uint32_t *error, uint64_t sum, unsigned seen)
{
    *error = (uint32_t)(((WEIGHT - 1) * (uint64_t)*error + sum / seen) / WEIGHT);
}

static void learn(struct shares *shares, bool first, const struct fate *fate)
{
    uint64_t slice_errors = 0, overall_errors = 0, sum = 0;
    unsigned seen = 0;
    bool all_sampled = true;

    for (unsigned i = 0; i < SLICES; i++) {
        uint16_t value = fate->written[i];
        bool sampled = (fate->sampled >> i & 1) != 0;

        if (value == SHARE_UNKNOWN)
            continue;
        slice_errors += squared(shares->slice[i], value);
        overall_errors += squared(shares->overall, value);
        sum += value;
        seen++;
        all_sampled &= sampled;
        learn_slice(&shares->slice[i], value, first, sampled);
    }
    if (seen == 0)
        return;
    if (!first) {
        learn_error(&shares->slice_error, slice_errors, seen);
        learn_error(&shares->overall_error, overall_errors, seen);
    }
    learn_slice(&shares->overall, (uint16_t)(sum / seen), first, all_sampled);
}

unsigned history_forecast(const struct shares *shares, unsigned slice)
{
    return shares->slice_error <= shares->overall_error ? shares->slice[slice] : shares->overall;
}

/* Doubts grow by two with each sample that was kept in a slice that is expected to be rewritten as a whole, and halve with each that was
   rewritten. */
static void weigh_samples(struct history *history, const struct fate *fate)
{
    for (unsigned i = 0; i < SLICES; i++) {
        if ((fate->sampled >> i & 1) == 0 || history_forecast(&history->target, i) < SHARE_ONE - SHARE_ONE / 8)
            continue;
        if (fate->written[i] == 0)
            history->doubts += 2;
        else
            history->doubts /= 2;
    }
    if (history->doubts >= DOUBTS)
        history->fates = history->doubts = 0;
}

void history_learn_target(struct history *history, const struct fate *fate)
{
    bool first = history->fates == 0;

    if (first)
        for (unsigned i = 0; i < SLICES; i++)
            history->target.slice[i] = SHARE_ONE; /* what nobody looked at counts as rewritten */
    count(&history->fates);
    weigh_samples(history, fate);
    if (history->fates == 0)
        return;
    learn(&history->target, first, fate);
    if (fate->read != SHARE_UNKNOWN)
        history->read = first ? fate->read : mean(history->read, fate->read, WEIGHT);
}

void history_learn_source(struct history *history, const struct fate *fate)
{
    bool first = history->changes == 0;

    count(&history->changes);
    learn(&history->source, first, fate);
}

void history_learn_plain(struct history *history, uint64_t nanoseconds, uint32_t most)
{
    uint64_t value = nanoseconds < most ? nanoseconds : most;

    history->plain = (uint32_t)(history->plain == 0 ? value : (history->plain * (uint64_t)(WEIGHT - 1) + value) / WEIGHT) + 1;
}

int64_t history_afford(struct history *history, uint64_t now, int64_t purse)
{
    int64_t income = history->last != 0 && now > history->last ? (int64_t)((now - history->last) / TWENTIETH) : 0;
    int64_t left = income - history->debt;
    int64_t before = history->income;

    history->debt = left < 0 ? -left : 0;
    history->last = now;
    history->income = income;
    left = left < before ? left : before;
    return left < 0 ? 0 : left < purse ? left : purse;
}

void history_book(struct history *history, int64_t nanoseconds, bool known)
{
    int64_t covered = nanoseconds < history->credit ? nanoseconds : history->credit;

    history->credit -= nanoseconds < 0 ? nanoseconds / 2 : covered;
    if (known)
        history->debt += nanoseconds < 0 ? nanoseconds : nanoseconds - covered;
    if (history->debt < 0)
        history->debt = 0;
}
