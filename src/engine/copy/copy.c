/* SPDX-License-Identifier: MIT */
/* engine_copy and engine_fill: what is eligible, what is done plainly, and the edges. */
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/config.h"
#include "base/log.h"
#include "base/page.h"
#include "engine/block/block.h"
#include "engine/control.h"
#include "engine/report/counters.h"
#include "engine/memory/drop.h"
#include "engine/memory/look.h"
#include "engine/engine.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "engine/block/header.h"
#include "engine/report/observe.h"
#include "engine/store/reclaim.h"
#include "engine/policy/hint.h"
#include "engine/policy/policy.h"
#include "engine/copy/snapshot.h"
#include "engine/copy/verify.h"
#include "kernel/costs.h"
#include "kernel/descriptor.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"
#include "kernel/write_guard.h"
#include "engine/report/savings.h"

#include "base/poison.h"

/* The whole pages inside a range; empty ones start where they end. */
struct pages {
    uintptr_t start, end;
};

static struct pages whole_pages(uintptr_t start, size_t size)
{
    struct pages pages = {page_up(start), page_down(start + size)};

    if (pages.end < pages.start)
        pages.end = pages.start;
    return pages;
}

static bool overlap(uintptr_t a, uintptr_t b, size_t size)
{
    return a - b < size || b - a < size;
}

/* What can be told without looking anything up. */
static enum reason check_addresses(uintptr_t to, uintptr_t from, size_t size)
{
    struct pages pages = whole_pages(from, size);

    if (!page_aligned(to - from))
        return REASON_incongruent;
    if (overlap(to, from, size))
        return REASON_overlapping;
    if (pages.end - pages.start < 2 * page_size)
        return REASON_small;
    return engine_sharing_stopped() ? REASON_excluded : REASON_none;
}

struct copy {
    uintptr_t to, from;
    size_t size;
    struct origin place;           /* keys of 0: the program wants it shared, whatever the policy says */
    struct block *target, *source; /* held, or NULL */
    struct observed_verdict verdict;
    uint64_t plain; /* slices of its whole pages that are done when they are copied plainly */
    size_t copied;  /* of what was done: not shared */
};

/* Both locks held. */
static enum reason check_blocks(const struct copy *copy)
{
    const struct block *source = copy->source;
    const struct block *target = copy->target;

    if (!block_settled(source) || !block_settled(target) || source->barred || target->barred)
        return REASON_excluded;
    if (copy->place.keys[0] != 0 && config_choice(policy) != POLICY_MEMORY && (source->rewritten || target->rewritten))
        return REASON_unlikely;
    return REASON_none;
}

static enum reason map_pages(struct copy *copy, struct pages pages, size_t *done)
{
    struct snapshot snapshot = {
        .from = copy->source,
        .to = copy->target,
        .source = pages.start,
        .target = pages.start + (copy->to - copy->from),
        .size = pages.end - pages.start,
        .place = copy->place,
    };
    enum reason why;

    if (!observe_substitutes())
        return snapshot_judge(&snapshot, &copy->verdict);
    why = snapshot_range(&snapshot);
    *done = snapshot.done;
    copy->plain = snapshot.plain;
    copy->copied = snapshot.copied + snapshot.plain_bytes;
    return why;
}

static enum reason map_copy(struct copy *copy, size_t *done)
{
    struct pages pages = whole_pages(copy->from, copy->size);
    enum reason why;

    if (block_has_our_stack(copy->source) || block_has_our_stack(copy->target))
        return REASON_excluded;
    block_lock_pair(copy->source, copy->target);
    why = check_blocks(copy);
    if (why == REASON_none)
        why = map_pages(copy, pages, done);
    if (*done > 0)
        header_drop(copy->target);
    block_unlock_pair(copy->source, copy->target);
    return why;
}

/* The slices that the policy left, as far as they are done. */
static size_t copy_slices(const struct copy *copy, struct pages pages, size_t done)
{
    size_t all = (pages.end - pages.start) / page_size, bytes = 0;
    unsigned count = slice_count(all);

    for (unsigned at = 0, end; at < count; at = end) {
        size_t from = slice_start(all, at) * page_size, to;

        end = slice_alike(copy->plain, at, count);
        to = slice_start(all, end) * page_size;
        to = to < done ? to : done;
        if ((copy->plain >> at & 1) == 0 || from >= to)
            continue;
        bytes_copy((void *)(pages.start + (copy->to - copy->from) + from), (const void *)(pages.start + from), to - from);
        bytes += to - from;
    }
    return bytes;
}

/* The edges, and what the snapshot left over. */
static void finish(const struct copy *copy, size_t done)
{
    struct pages pages = whole_pages(copy->from, copy->size);
    size_t head = pages.start - copy->from;
    size_t rest = copy->size - head - done;
    size_t plain = copy_slices(copy, pages, done);

    bytes_copy((void *)copy->to, (const void *)copy->from, head);
    bytes_copy((void *)(copy->to + head + done), (const void *)(copy->from + head + done), rest);
    counter_add(COUNT_copies_shared, 1);
    counter_add(COUNT_bytes_shared, done - plain);
    counter_add(COUNT_bytes_edges, head + rest + plain);
}

/* Whole pages that are overwritten need not show a store first: a fault would copy bytes that die at once. */
static void drop_overwritten(struct block *block, uintptr_t start, size_t size)
{
    struct pages pages = whole_pages(start, size);
    struct look look = {NULL};

    lock_take(&block->lock);
    if (block_settled(block) && extent_any(block, pages.start, pages.end) && look_around(&look) == REASON_none &&
        verify_range(block, pages.start, pages.end) == 0 && drop_views(block, pages.start, pages.end) == 0)
        map_populate_write(pages.start, pages.end - pages.start); /* one call is cheaper than a fault for each page */
    lock_drop(&block->lock);
}

static enum reason try_copy(struct copy *copy, size_t *done)
{
    enum reason why = check_addresses(copy->to, copy->from, copy->size);

    if (why == REASON_none && copy->target == NULL)
        why = REASON_not_target;
    if (why == REASON_none && (copy->source = block_find_range(copy->from, copy->size)) == NULL)
        why = REASON_not_source;
    if (why == REASON_none && !descriptor_in_own_process())
        why = REASON_foreign_process;
    if (why == REASON_none)
        why = map_copy(copy, done);
    return why;
}

static void log_outcome(const struct copy *copy, enum reason why, size_t done)
{
    if (why == REASON_none)
        log_debug("copy of %zu bytes from %p to %p: shared", copy->size, (void *)copy->from, (void *)copy->to);
    else
        log_debug("copy of %zu bytes from %p to %p: %zu bytes shared, then plain: %s", copy->size, (void *)copy->from, (void *)copy->to,
                  done, reason_words(why));
}

static void report_outcome(struct copy *copy, enum reason why, size_t done)
{
    log_outcome(copy, why, done);
    copy->verdict.reason = why;
    copy->verdict.shared = done;
    copy->verdict.site = copy->place.keys[BY_CLASS];
    observe_copy_judged(copy->to, copy->from, copy->size, &copy->verdict);
}

/* What both kinds of copy have in common; inside. */
static enum reason attempt_sharing(struct copy *copy, size_t *done)
{
    enum reason why;

    copy->target = block_find_range(copy->to, copy->size);
    observe_copy_begins(copy->to, copy->from, copy->size);
    why = try_copy(copy, done);
    if (why != REASON_none)
        reason_add(why, copy->size - *done);
    return why;
}

static void conclude(struct copy *copy, enum reason why, size_t done, const void *caller)
{
    if (done > 0) {
        engine_wake(); /* a child sees its parent's blocks before it has any of its own */
        block_export_copy(copy->target, copy->from, caller);
    }
    report_outcome(copy, why, done);
    if (copy->source != NULL)
        block_release(copy->source);
    if (copy->target != NULL)
        block_release(copy->target);
    write_guard_rest();
    reclaim_event();
    savings_event();
}

/* Known to be better plain, and nobody is listening. */
static bool is_plain(uintptr_t to, uintptr_t from, size_t size)
{
    if (observed() || !hint_plain(to, from, size))
        return false;
    reason_add(REASON_unlikely, size);
    log_debug("copy of %zu bytes from %p to %p: plain, as the last ones: %s", size, (void *)from, (void *)to,
              reason_words(REASON_unlikely));
    return true;
}

/* What the policy declined is copied here, now and then: so it learns what that costs. */
static enum engine_copied copy_plainly(const struct copy *copy)
{
    uint64_t before = costs_clock();

    bytes_copy((void *)copy->to, (const void *)copy->from, copy->size);
    costs_note_copy(costs_clock() - before, copy->size / page_size);
    return COPIED_PLAINLY;
}

enum engine_copied engine_copy(void *to, const void *from, size_t size, const void *caller)
{
    struct copy copy = {.to = (uintptr_t)to, .from = (uintptr_t)from, .size = size};
    struct entry entry;
    enum reason why;
    bool declined;
    size_t done = 0;

    if (is_plain(copy.to, copy.from, size) || !observe_look(OBSERVED_COPY, size))
        return COPIED_NOT;
    copy.place = policy_origin((uintptr_t)caller, copy.from, size);
    if (!entry_begin_quiet(&entry)) {
        reason_add(REASON_nested, size);
        return COPIED_NOT;
    }
    why = attempt_sharing(&copy, &done);
    if (why != REASON_none && done == 0 && copy.target != NULL && why != REASON_foreign_process && !overlap(copy.to, copy.from, size))
        drop_overwritten(copy.target, copy.to, size);
    declined = why == REASON_unlikely && done == 0; /* by the policy, which is asked where the addresses are right */
    if (declined)
        hint_give(copy.to, copy.from, size);
    else
        hint_take(copy.to, copy.from, size);
    conclude(&copy, why, done, caller);
    entry_end(&entry);
    if (declined)
        return copy_plainly(&copy);
    if (done > 0)
        finish(&copy, done);
    return done > 0 ? COPIED_SHARED : COPIED_NOT;
}

enum reason engine_share(void *to, const void *from, size_t size, const void *caller, bool whole, size_t *done, size_t *shared)
{
    struct copy copy = {.to = (uintptr_t)to, .from = (uintptr_t)from, .size = size};
    struct entry entry;
    enum reason why;

    *done = 0;
    *shared = 0;
    if (!entry_begin_quiet(&entry))
        return REASON_nested;
    why = attempt_sharing(&copy, done);
    conclude(&copy, why, *done, caller);
    entry_end(&entry);
    if (*done > 0 && !(whole && why != REASON_none))
        finish(&copy, *done);
    *shared = *done - copy.copied;
    return why == REASON_none && *done == 0 ? REASON_no_store : why; /* an observer that lets nothing be shared */
}

/* A few pages tell whether the range was in use, which a full scan would take an eighth of the fill's time to find out. */
static bool looks_used(struct pages pages)
{
    uintptr_t middle = page_down(pages.start + (pages.end - pages.start) / 2);

    return pagemap_any(PAGES_PRIVATE, pages.start, pages.start + page_size) != 0 &&
           pagemap_any(PAGES_PRIVATE, middle, middle + page_size) != 0 && pagemap_any(PAGES_PRIVATE, pages.end - page_size, pages.end) != 0;
}

/* Zeroes only what is not zero already. False when the kernel does not tell: nothing is lost by filling all of it then. */
static bool zero_used(struct pages pages)
{
    struct page_run runs[32];
    uintptr_t at = pages.start;

    while (at < pages.end) {
        uintptr_t walked;
        int count = pagemap_runs(PAGES_PRIVATE, at, pages.end, runs, 32, &walked);

        if (count < 0)
            return false;
        counter_add(COUNT_zero_skipped, walked - at);
        for (int i = 0; i < count; i++) {
            bytes_fill((void *)runs[i].start, 0, runs[i].end - runs[i].start);
            counter_add(COUNT_zero_skipped, -(uint64_t)(runs[i].end - runs[i].start));
        }
        at = walked;
    }
    return true;
}

/* Under the lock, so that no copy seals pages meanwhile, which would look like holes; and only in memory that is anonymous, for
   the program may have mapped something over its block. */
static bool zero_block(struct block *block, struct pages pages)
{
    bool zeroed = false;

    lock_take(&block->lock);
    if (block_settled(block) && !extent_any(block, pages.start, pages.end) && !looks_used(pages) && look_holes_are_zero() &&
        verify_range(block, pages.start, pages.end) == 0)
        zeroed = zero_used(pages);
    lock_drop(&block->lock);
    return zeroed;
}

static bool fill_block(struct block *block, uintptr_t to, int value, size_t size)
{
    struct pages pages = whole_pages(to, size);

    if (block->extents_count > 0)
        drop_overwritten(block, to, size);
    if (value != 0 || pages.start == pages.end || !zero_block(block, pages))
        return false;
    bytes_fill((void *)to, 0, pages.start - to);
    bytes_fill((void *)pages.end, 0, to + size - pages.end);
    return true;
}

bool engine_fill(void *to, int value, size_t size)
{
    struct entry entry;
    struct block *block;
    unsigned firsts;
    bool done = false;

    if (value != 0 && (extent_count() == 0 || hint_plain((uintptr_t)to, extent_firsts(), size)))
        return false;
    /* Quiet even to find out that there is nothing to do: memset may be left by a jump out of a signal handler. */
    if (block_count() == 0 || !entry_begin_quiet(&entry))
        return false;
    firsts = extent_firsts();
    block = block_find_range((uintptr_t)to, size);
    if (value != 0 && (block == NULL || block->extents_count == 0))
        hint_give((uintptr_t)to, firsts, size);
    if (block != NULL) {
        if (descriptor_in_own_process())
            done = fill_block(block, (uintptr_t)to, value, size);
        block_release(block);
    }
    entry_end(&entry);
    return done;
}
