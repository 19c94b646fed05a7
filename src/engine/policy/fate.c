/* SPDX-License-Identifier: MIT */
#include "engine/policy/fate.h"

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/page.h"
#include "engine/engine.h"
#include "engine/policy/facts.h"
#include "engine/policy/remains.h"
#include "engine/policy/sample.h"
#include "engine/report/counters.h"
#include "kernel/costs.h"
#include "kernel/pagemap.h"
#include "kernel/pressure.h"
#include "kernel/usage.h"

#include "base/poison.h"

/* Of a slice so many pages are looked at. */
#define WINDOW 256
#define RUNS 64

static struct lock policy_lock = LOCK_INITIALIZER(LOCK_STORES);
static struct policy policy;
static _Atomic unsigned turn;
static bool mixture; /* for tests */

void fate_init(void)
{
    mixture = config_internal("mixture", NULL);
}

/* Any decision, so that tests meet every mixture of slices; of short ones mostly all or nothing would be. */
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
    pressed = venture->private_pages == NULL && facts.policy == POLICY_BALANCED && pressure_high();
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

/* Pages of one kind in a range; -1: the kernel did not tell. */
static long count_pages(enum pagemap_want want, uintptr_t start, uintptr_t end)
{
    struct page_run runs[RUNS];
    size_t bytes = 0;

    while (start < end) {
        int count = pagemap_runs(want, start, end, runs, RUNS, &start);

        if (count < 0)
            return -1;
        for (int i = 0; i < count; i++)
            bytes += runs[i].end - runs[i].start;
    }
    return (long)(bytes / page_size);
}

/* What was found in one copy. */
struct finding {
    struct fate fate;
    size_t asked, written, read; /* pages */
};

/* The pages of a slice that are looked at. */
static struct page_run window_of(const struct trace *trace, unsigned slice)
{
    size_t first = slice_start(trace->pages, slice), end = slice_start(trace->pages, slice + 1);

    if (end - first > WINDOW) {
        first += (end - first - WINDOW) / 2;
        end = first + WINDOW;
    }
    return (struct page_run){trace->start + first * page_size, trace->start + end * page_size};
}

static bool look_at_slice(const struct trace *trace, unsigned slice, struct finding *finding)
{
    struct page_run window = window_of(trace, slice);
    size_t pages = (window.end - window.start) / page_size;
    size_t all = slice_start(trace->pages, slice + 1) - slice_start(trace->pages, slice);
    long written = count_pages(PAGES_PRIVATE, window.start, window.end);
    long there = written < 0 ? -1 : count_pages(PAGES_TOUCHED, window.start, window.end);

    if (there < written || there < 0)
        return false;
    finding->fate.written[slice] = (uint16_t)((size_t)written * SHARE_ONE / pages);
    finding->asked += all;
    finding->written += (size_t)written * all / pages;
    finding->read += (size_t)(there - written) * all / pages;
    return true;
}

/* Small slices that neighbour each other, by one scan. */
static bool look_at_slices(const struct trace *trace, unsigned from, unsigned to, struct finding *finding)
{
    uintptr_t start = trace->start + slice_start(trace->pages, from) * page_size;
    uintptr_t end = trace->start + slice_start(trace->pages, to) * page_size;
    uint32_t written[SLICES] = {0};
    long there = count_pages(PAGES_TOUCHED, start, end);
    size_t pages = (end - start) / page_size;
    size_t all = 0;

    if (there < 0 || !sample_count(trace->start, trace->pages, start, end, written))
        return false;
    for (unsigned i = from; i < to; i++) {
        size_t size = slice_start(trace->pages, i + 1) - slice_start(trace->pages, i);

        finding->fate.written[i] = (uint16_t)(written[i] * SHARE_ONE / size);
        all += written[i];
    }
    finding->asked += pages;
    finding->written += all;
    finding->read += (size_t)there > all ? (size_t)there - all : 0;
    return true;
}

/* What was shared: pages of their own, that also are where views were dropped to write there. */
static void look_at_views(const struct trace *trace, struct finding *finding)
{
    unsigned count = slice_count(trace->pages);
    bool small = trace->pages <= (size_t)WINDOW * count;

    for (unsigned at = 0, end; at < count; at = end) {
        end = slice_alike(trace->shared, at, count);
        if ((trace->shared >> at & 1) == 0)
            continue;
        if (small) {
            look_at_slices(trace, at, end, finding);
            continue;
        }
        for (unsigned i = at; i < end; i++)
            look_at_slice(trace, i, finding);
    }
}

static struct finding no_finding(void)
{
    struct finding finding;

    bytes_fill(&finding, 0, sizeof finding);
    for (unsigned i = 0; i < SLICES; i++)
        finding.fate.written[i] = SHARE_UNKNOWN;
    finding.fate.read = SHARE_UNKNOWN;
    return finding;
}

static void look_at_samples(const struct trace *trace, struct finding *finding)
{
    for (unsigned i = 0; i < trace->sampled; i++) {
        unsigned slice = slice_of(trace->pages, (trace->samples[i].page - trace->start) / page_size);

        if (!sample_readable(trace->samples[i].page))
            continue;
        finding->fate.written[slice] = sample_same(&trace->samples[i]) ? 0 : SHARE_ONE;
        finding->fate.sampled |= UINT64_C(1) << slice;
    }
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
    finding = no_finding();
    look_at_views(trace, &finding);
    look_at_samples(trace, &finding);
    if (finding.asked == 0 && finding.fate.sampled == 0)
        return;
    costs_read(&costs);
    if (finding.asked > finding.written)
        finding.fate.read = (uint16_t)(finding.read * SHARE_ONE / (finding.asked - finding.written));
    if (finding.asked > 0)
        trace->lost += (int64_t)(finding.written * costs.fault + (trace->huge ? 0 : finding.read * costs.read));
    log_debug("policy: %zu of %zu pages that were shared were rewritten, %zu read; lost %lld us", finding.written, finding.asked,
              finding.read, (long long)trace->lost / 1000);
    lock_take(&policy_lock);
    policy_learn_copy(&policy, &trace->place, &finding.fate, finding.asked > 0 ? trace->lost : 0, finding.asked > 0 && trace->known);
    lock_drop(&policy_lock);
    if (finding.asked > 0)
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
    finding = no_finding();
    for (unsigned i = 0; i < slice_count(trace->pages); i++)
        if ((trace->shared & looked_at) >> i & 1) {
            size_t size = slice_start(trace->pages, i + 1) - slice_start(trace->pages, i);

            finding.fate.written[i] = (uint16_t)((uint64_t)private_pages[i] * SHARE_ONE / size);
            faults += private_pages[i];
        }
    look_at_samples(trace, &finding);
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
    finding = no_finding();
    look_at_views(trace, &finding);
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

/* Pages of slices that are copied plainly, other ones at each turn. */
static void take_samples(const struct venture *venture, struct trace *made, struct trace *given, unsigned now)
{
    unsigned count = slice_count(venture->pages);

    if (sample_forbidden(venture->from) || sample_forbidden(venture->to))
        return;
    for (unsigned i = 0; i < count && made->sampled < TRACE_SAMPLES; i++) {
        unsigned slice = (i * 17 + now * 5) % count;
        size_t first = slice_start(venture->pages, slice), end = slice_start(venture->pages, slice + 1);
        struct trace_sample sample = {venture->source + (first + now * 7u % (end - first)) * page_size, 0};

        if ((made->shared >> slice & 1) != 0 || !sample_readable(sample.page))
            continue;
        sample.sum = sample_sum(sample.page);
        given->samples[given->sampled++] = sample;
        sample.page += venture->shift;
        made->samples[made->sampled++] = sample;
    }
}

void fate_begin(const struct venture *venture, const struct judgement *judgement, uint64_t spent)
{
    unsigned now = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed);
    struct trace *made = &venture->to->made, *given = &venture->from->given;
    bool asked = venture->place.keys[0] != 0 && config_choice(policy) != POLICY_MEMORY;

    made->start = venture->source + venture->shift;
    made->pages = venture->pages;
    made->shared = judgement->shared;
    made->place = venture->place;
    made->known = judgement->known;
    made->huge = facts_huge_views(venture);
    made->lost = (int64_t)spent - judgement->native;
    made->open = asked;
    made->sampled = 0;
    venture->to->given.open = false;
    *given = *made;
    given->start = venture->source;
    if (!asked)
        return;
    lock_take(&policy_lock);
    made->skipped = judgement->shared != 0 && !policy_curious(&policy, &venture->place, now);
    lock_drop(&policy_lock);
    given->skipped = made->skipped;
    if (!made->skipped)
        take_samples(venture, made, given, now);
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
