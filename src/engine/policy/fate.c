/* SPDX-License-Identifier: MIT */
#include "engine/policy/fate.h"

#include <stdatomic.h>

#include "base/lock.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/policy/facts.h"
#include "engine/policy/finding.h"
#include "engine/policy/remains.h"
#include "engine/report/counters.h"
#include "kernel/costs.h"
#include "kernel/usage.h"

#include "base/poison.h"

static struct lock policy_lock = LOCK_INITIALIZER(LOCK_STORES);
static struct policy policy;
static _Atomic unsigned turn;
static bool mixture; /* for tests */

void fate_init(void)
{
    mixture = config_internal("mixture", NULL);
}

/* A random mixture of slices, so that tests meet all of them. The policy itself would mostly share all or nothing of a short copy. */
static struct judgement mix(const struct facts *facts)
{
    uint64_t some = (atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed) + 1) * UINT64_C(0x9e3779b97f4a7c15);

    some ^= some >> 29;
    return (struct judgement){.shared = ((some & 7) == 0 ? ~UINT64_C(0) : some >> 7) & slice_all(facts->pages)};
}

struct judgement fate_decide(struct venture *venture)
{
    struct facts facts = facts_of(venture);
    struct judgement judgement;
    struct costs costs = {0};
    bool pressed;

    if (mixture)
        return mix(&facts);
    if (facts.policy == POLICY_MEMORY)
        return judge_slices(&facts, &costs, NULL, NULL);
    costs_read(&costs);
    pressed = facts_press(venture);
    lock_take(&policy_lock);
    if (venture->private_pages == NULL)
        venture->purse = policy_purse(&policy, &venture->place, usage_processor(), usage_now());
    if (pressed)
        venture->purse = PURSE_OPEN;
    facts.purse = venture->purse;
    judgement = policy_decide(&policy, &venture->place, &facts, &costs);
    lock_drop(&policy_lock);
    log_debug("policy: slices %016llx of %zu pages, %s, purse %lld us", (unsigned long long)judgement.shared, facts.pages,
              judgement.known ? "as known" : "on trial", (long long)facts.purse / 1000);
    return judgement;
}

static void count(int64_t lost)
{
    if (lost > 0)
        counter_add(COUNT_lost_us, (uint64_t)lost / 1000);
    else
        counter_add(COUNT_won_us, (uint64_t)-lost / 1000);
}

void fate_of_copy(struct block *block)
{
    struct trace *trace = &block->made;
    struct finding finding;
    struct costs costs;

    if (!trace->open)
        return;
    trace->open = false;
    if (trace->skipped)
        return;
    finding = finding_none();
    finding_look_at_views(trace, &finding);
    finding_look_at_samples(trace, &finding);
    if (finding.asked == 0 && finding.fate.sampled == 0)
        return;
    costs_read(&costs);
    if (finding.mapped > 0)
        finding.fate.read = (uint16_t)(finding.read * SHARE_ONE / finding.mapped);
    if (finding.asked > 0)
        trace->lost += (int64_t)(finding.written * costs.fault + (trace->huge ? 0 : finding.read * costs.read));
    log_debug("policy: %zu of %zu pages that were shared were rewritten, %zu read; lost %lld us", finding.written, finding.asked,
              finding.read, (long long)trace->lost / 1000);
    lock_take(&policy_lock);
    policy_learn_copy(&policy, &trace->place, &finding.fate, trace->lost, trace->known);
    lock_drop(&policy_lock);
    count(trace->lost);
}

void fate_of_source(const struct venture *venture, const uint32_t *private_pages, uint64_t looked_at)
{
    struct trace *trace = &venture->from->given;
    size_t faults = 0;
    struct finding finding;
    struct costs costs;

    if (!trace->open || trace->pages != venture->pages || trace->start != venture->source)
        return;
    trace->open = false;
    finding = finding_none();
    for (unsigned i = 0; i < slice_count(trace->pages); i++)
        if ((trace->shared & looked_at) >> i & 1) {
            size_t size = slice_start(trace->pages, i + 1) - slice_start(trace->pages, i);

            finding.fate.written[i] = (uint16_t)((uint64_t)private_pages[i] * SHARE_ONE / size);
            faults += private_pages[i];
        }
    finding_look_at_samples(trace, &finding);
    if ((trace->shared & looked_at) == 0 && finding.fate.sampled == 0)
        return;
    costs_read(&costs);
    lock_take(&policy_lock);
    policy_learn_source(&policy, &trace->place, &finding.fate, (int64_t)faults * costs.fault);
    lock_drop(&policy_lock);
    count((int64_t)faults * costs.fault);
}

/* A source that will not be copied again: what is private now of what it shared was written since. */
static void end_of_source(struct block *block)
{
    struct trace *trace = &block->given;
    struct finding finding;
    struct costs costs;
    int64_t lost;

    if (!trace->open)
        return;
    trace->open = false;
    if (trace->skipped || trace->shared == 0)
        return;
    finding = finding_none();
    finding_look_at_views(trace, &finding);
    if (finding.asked == 0)
        return;
    costs_read(&costs);
    lost = (int64_t)finding.written * costs.fault;
    lock_take(&policy_lock);
    policy_learn_source(&policy, &trace->place, &finding.fate, lost);
    lock_drop(&policy_lock);
    count(lost);
}

void fate_end(struct block *block)
{
    fate_of_copy(block);
    end_of_source(block);
}

void fate_begin(const struct venture *venture, const struct judgement *judgement, uint64_t spent)
{
    unsigned now = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed);
    struct trace *made = &venture->to->made, *given = &venture->from->given;
    bool asked = venture->place.keys[0] != 0 && config_choice(policy) != POLICY_MEMORY;

    made->start = venture->source + venture->shift;
    made->pages = venture->pages;
    made->shared = judgement->shared;
    made->same = judgement->same & judgement->shared;
    made->place = venture->place;
    made->known = judgement->known;
    made->huge = facts_huge_views(venture);
    made->lost = (int64_t)spent - judgement->native + judgement->change;
    made->open = asked;
    made->sampled = 0;
    venture->to->given.open = false;
    venture->to->given.pages = 0;
    *given = *made;
    given->start = venture->source;
    if (!asked)
        return;
    lock_take(&policy_lock);
    made->skipped = judgement->shared != 0 && !policy_curious(&policy, &venture->place, now);
    lock_drop(&policy_lock);
    given->skipped = made->skipped;
    if (!made->skipped)
        finding_take_samples(venture, made, given, now);
}

void fate_note_plain(const struct origin *place, uint64_t nanoseconds, size_t pages, size_t all)
{
    struct costs costs;
    uint32_t most;

    if (nanoseconds == 0 || pages < COSTS_ENOUGH)
        return;
    costs_note_copy(nanoseconds, pages, all);
    costs_read(&costs);
    most = 2 * (costs.copy_far > costs.copy ? costs.copy_far : costs.copy);
    lock_take(&policy_lock);
    policy_learn_plain(&policy, place, nanoseconds / pages, most);
    lock_drop(&policy_lock);
}

void fate_forget(struct block *block)
{
    fate_end(block);
    block->made.pages = 0;
}

void fate_leave(struct block *block)
{
    if (engine_confined()) /* to find out takes system calls, and nothing is decided any more */
        return;
    remains_leave(block);
    if (block->extents_count == 0 && (block->made.open || block->given.open)) {
        lock_take(&block->lock);
        fate_forget(block);
        lock_drop(&block->lock);
    }
}

void fate_after_fork(void)
{
    policy.ledger = (struct ledger){0, 0}; /* the child's processor time begins at nothing, too */
}
