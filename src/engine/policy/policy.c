/* SPDX-License-Identifier: MIT */
#include "engine/policy/policy.h"

#include "base/bytes.h"

#include "base/poison.h"

/* After so many fates that were alike, only every fourth copy is looked at. */
#define SETTLED 6
#define TURNS 4

static uint32_t key(uint64_t a, uint64_t b, uint64_t kind)
{
    uint64_t hash = (a ^ (b * UINT64_C(0xff51afd7ed558ccd)) ^ (kind << 56)) * UINT64_C(0x9e3779b97f4a7c15);

    hash = (hash ^ hash >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(hash >> 32) | 1;
}

struct origin policy_origin(uintptr_t caller, uintptr_t source, size_t size)
{
    unsigned size_class = 63 - (unsigned)__builtin_clzl(size | 1);

    return (struct origin){{key(source ^ caller << 20, size, 1), key(caller, size, 2), key(caller, size_class, 3)}};
}

static struct history *slot(struct policy *policy, uint32_t key)
{
    return &policy->histories[(key >> 1) % HISTORIES];
}

/* The one of that key, or NULL. */
static struct history *find(struct policy *policy, uint32_t key)
{
    struct history *history = slot(policy, key);

    return history->key == key ? history : NULL;
}

/* The same, but makes a new one where there is none, in place of one that has the same slot. */
static struct history *make(struct policy *policy, uint32_t key)
{
    struct history *history = slot(policy, key);

    if (history->key != key) {
        bytes_fill(history, 0, sizeof *history);
        history->key = key;
    }
    return history;
}

/* The most specific history that knows something of targets, or of sources. */
static struct history *who_knows(struct policy *policy, const struct origin *place, bool of_sources)
{
    for (int i = 0; i < KEYS; i++) {
        struct history *history = find(policy, place->keys[i]);

        if (history != NULL && (of_sources ? history->changes : history->fates) > 0)
            return history;
    }
    return NULL;
}

int64_t policy_purse(struct policy *policy, const struct origin *place, uint64_t processor_ns, uint64_t now)
{
    struct history *history = who_knows(policy, place, false);
    int64_t purse = ledger_purse(&policy->ledger, processor_ns);

    return history == NULL ? purse : history_afford(history, now, purse);
}

struct judgement policy_decide(struct policy *policy, const struct origin *place, const struct facts *facts, const struct costs *costs)
{
    struct history *target = who_knows(policy, place, false);
    struct judgement judgement = judge_slices(facts, costs, target, who_knows(policy, place, true));

    if (target != NULL)
        target->ruined = judgement.ruined;
    return judgement;
}

void policy_learn_copy(struct policy *policy, const struct origin *place, const struct fate *fate, int64_t lost, bool known)
{
    for (int i = 0; i < KEYS; i++) {
        struct history *history = make(policy, place->keys[i]);

        history_learn_target(history, fate);
        history_book(history, lost, known);
    }
    ledger_enter(&policy->ledger, lost);
}

void policy_learn_plain(struct policy *policy, const struct origin *place, uint64_t nanoseconds, uint32_t most)
{
    for (int i = 0; i < KEYS; i++)
        history_learn_plain(make(policy, place->keys[i]), nanoseconds, most);
}

void policy_learn_source(struct policy *policy, const struct origin *place, const struct fate *fate, int64_t lost)
{
    for (int i = 0; i < KEYS; i++)
        history_learn_source(make(policy, place->keys[i]), fate);
    ledger_enter(&policy->ledger, lost);
}

bool policy_curious(const struct policy *policy, const struct origin *place, unsigned turn)
{
    const struct history *history = &policy->histories[(place->keys[BY_SOURCE] >> 1) % HISTORIES];

    return history->key != place->keys[BY_SOURCE] || history->fates < SETTLED || history->debt > 0 || turn % TURNS == 0;
}

/* A block is not sealed anew for less than a quarter of its pages: all of them are kept twice as long as other copies show what it was. */
#define WORTH_TWICE 4

bool policy_consolidates(size_t pages, size_t copied_pages_since, const struct costs *costs, bool huge_store)
{
    return copied_pages_since >= pages / WORTH_TWICE &&
           (uint64_t)copied_pages_since * costs->fault >= (uint64_t)pages * (huge_store ? costs->seal_huge : costs->seal);
}
