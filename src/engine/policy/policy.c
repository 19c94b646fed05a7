/* SPDX-License-Identifier: MIT */
#include "engine/policy/policy.h"

#include <stdint.h>

#include "base/poison.h"

/* Nanoseconds a page; see KERNEL.md's table. Only their ratios matter. */
#define PLAIN_FRESH 2700  /* plain copy into fresh memory, 4 KiB pages */
#define PLAIN_HUGE 800    /* the same, huge pages */
#define PLAIN_TOUCHED 410 /* plain copy into memory in use */
#define SEAL_SMALL 1800
#define SEAL_HUGE 450
#define FAULT 2900 /* the first write to a page of a view: the store is read where a plain copy had the page in its cache */

#define PATIENCE_FIRST 32
#define PATIENCE_LAST 512

static uint64_t plain_cost(const struct facts *facts)
{
    return (uint64_t)facts->pages * (facts->target_touched ? PLAIN_TOUCHED : facts->target_huge ? PLAIN_HUGE : PLAIN_FRESH);
}

/* What sharing costs now and later: the seal, and a fault for each page that copy or source will write. */
static uint64_t shared_cost(const struct facts *facts, unsigned rewritten)
{
    uint64_t seal = (uint64_t)facts->private_pages * (facts->huge_store ? SEAL_HUGE : SEAL_SMALL);
    uint64_t faults = (uint64_t)facts->pages * FAULT * (rewritten + facts->source_changes) / SHARE_ONE;

    return seal + faults;
}

static bool pays(const struct facts *facts, unsigned rewritten)
{
    uint64_t plain = plain_cost(facts);
    uint64_t shared = shared_cost(facts, rewritten);

    /* Sharing that gives half of the memory or more may cost time, though not badly. */
    if (rewritten + facts->source_changes <= SHARE_ONE / 2)
        return shared <= 3 * plain;
    return shared <= plain + plain / 20;
}

/* What a lost try costs, in plain copies: several, where those are cheap (huge pages, memory in use). */
static unsigned lost_try(const struct facts *facts)
{
    uint64_t plain = plain_cost(facts);
    uint64_t lost = (uint64_t)facts->pages * FAULT;

    return lost <= plain ? 1 : (unsigned)((lost + plain / 2) / plain);
}

static bool tries_again(const struct facts *facts, const struct record *record)
{
    unsigned patience = record->patience == 0 ? PATIENCE_FIRST : record->patience;

    return record->declined >= patience * lost_try(facts);
}

bool policy_shares(const struct facts *facts, const struct record *record)
{
    bool known = record->seen > 0 || facts->source_changes > 0;

    if (facts->policy == POLICY_MEMORY)
        return true;
    if (tries_again(facts, record))
        return true;
    if (!known)
        return facts->policy == POLICY_BALANCED;
    if (facts->policy == POLICY_SPEED)
        return shared_cost(facts, record->rewritten) <= plain_cost(facts);
    return pays(facts, record->rewritten);
}

unsigned policy_mean(unsigned mean, unsigned value)
{
    return (3 * mean + value + 2) / 4;
}

void policy_learn(struct record *record, unsigned rewritten)
{
    record->rewritten = record->seen == 0 ? rewritten : policy_mean(record->rewritten, rewritten);
    if (record->seen < UINT32_MAX)
        record->seen++;
    if (rewritten <= SHARE_ONE / 2)
        record->patience = 0;
}

void policy_note(struct record *record, bool shared)
{
    if (!shared) {
        record->declined++;
        return;
    }
    /* A try after many refusals: if it fails too, wait longer for the next. */
    if (record->declined > 0) {
        unsigned patience = record->patience == 0 ? PATIENCE_FIRST : record->patience;

        record->patience = patience * 2 < PATIENCE_LAST ? patience * 2 : PATIENCE_LAST;
    }
    record->declined = 0;
}

bool policy_consolidates(size_t pages, size_t copied_pages_since, bool huge_store)
{
    return (uint64_t)copied_pages_since * FAULT >= (uint64_t)pages * (huge_store ? SEAL_HUGE : SEAL_SMALL);
}
