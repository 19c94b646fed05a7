/* SPDX-License-Identifier: MIT */
#include "engine/copy/attempt.h"

#include "base/config.h"
#include "base/log.h"
#include "engine/block/header.h"
#include "engine/block/placement.h"
#include "engine/copy/snapshot.h"
#include "engine/engine.h"
#include "kernel/costs.h"
#include "kernel/descriptor.h"
#include "kernel/pagemap.h"

#include "base/poison.h"

bool attempt_overlaps(const struct copy *copy)
{
    return copy->to - copy->from < copy->size || copy->from - copy->to < copy->size;
}

bool attempt_in_use(const struct copy *copy)
{
    struct whole_pages pages = whole_pages(copy->from, copy->size);
    uint64_t plain = copy->snapshot.plain;
    size_t all = (pages.end - pages.start) / page_size;
    uintptr_t source, target;

    if (plain == 0 || (plain & ~copy->snapshot.filled) != 0)
        return false;
    if ((size_t)__builtin_popcountll(plain) * all / slice_count(all) < COSTS_ENOUGH)
        return false;
    source = pages.start + slice_start(all, (unsigned)__builtin_ctzll(plain)) * page_size;
    target = source + (copy->to - copy->from);
    return pagemap_any(PAGES_PRIVATE, target, target + page_size) > 0 && pagemap_any(PAGES_TOUCHED, source, source + page_size) > 0;
}

/* What can be told without looking anything up. */
static enum reason check_addresses(const struct copy *copy)
{
    struct whole_pages pages = whole_pages(copy->from, copy->size);

    if (!page_aligned(copy->to - copy->from))
        return REASON_incongruent;
    if (attempt_overlaps(copy))
        return REASON_overlapping;
    if (pages.end - pages.start < 2 * page_size)
        return REASON_small;
    return engine_sharing_stopped() ? REASON_excluded : REASON_none;
}

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

static void ask_for(struct copy *copy, struct whole_pages pages)
{
    struct snapshot *ask = &copy->snapshot;

    ask->from = copy->source;
    ask->to = copy->target;
    ask->source = pages.start;
    ask->target = pages.start + (copy->to - copy->from);
    ask->size = pages.end - pages.start;
    ask->place = copy->place;
}

static enum reason map_pages(struct copy *copy, struct whole_pages pages, size_t *done)
{
    enum reason why;

    ask_for(copy, pages);
    if (!observe_substitutes())
        return snapshot_judge(&copy->snapshot, &copy->verdict);
    why = snapshot_range(&copy->snapshot);
    *done = copy->snapshot.done;
    return why;
}

static enum reason map_copy(struct copy *copy, size_t *done)
{
    struct whole_pages pages = whole_pages(copy->from, copy->size);
    size_t before = *done;
    enum reason why;

    if (block_has_our_stack(copy->source) || block_has_our_stack(copy->target))
        return REASON_excluded;
    block_lock_pair(copy->source, copy->target);
    why = check_blocks(copy);
    if (why == REASON_none)
        why = map_pages(copy, pages, done);
    if (*done > before)
        header_drop(copy->target);
    block_unlock_pair(copy->source, copy->target);
    return why;
}

static enum reason try_copy(struct copy *copy, size_t *done)
{
    enum reason why = check_addresses(copy);

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

static enum reason attempt(struct copy *copy, size_t *done)
{
    enum reason why;

    copy->target = block_find_range(copy->to, copy->size);
    why = try_copy(copy, done);
    if (why == REASON_incongruent)
        placement_learn(copy->target, copy->to, copy->from, copy->size);
    if (why != REASON_none)
        reason_add(why, copy->size - *done);
    return why;
}

enum reason attempt_sharing(struct copy *copy, size_t *done)
{
    observe_copy_begins(copy->to, copy->from, copy->size);
    return attempt(copy, done);
}

static void let_go(struct copy *copy)
{
    block_release(copy->source);
    block_release(copy->target);
    copy->source = copy->target = NULL;
}

bool attempt_to_end(struct copy *copy, struct entry *entry, size_t *done, enum reason *why)
{
    while (*why == REASON_none && copy->snapshot.again) {
        let_go(copy);
        if (!entry_yield(entry)) {
            reason_add(REASON_excluded, copy->size - *done);
            return false;
        }
        *why = attempt(copy, done);
    }
    return true;
}

static void log_outcome(const struct copy *copy, enum reason why, size_t done)
{
    if (why == REASON_none)
        log_debug("copy of %zu bytes from %p to %p: shared", copy->size, (void *)copy->from, (void *)copy->to);
    else
        log_debug("copy of %zu bytes from %p to %p: %zu bytes shared, then plain: %s", copy->size, (void *)copy->from, (void *)copy->to,
                  done, reason_words(why));
}

void attempt_end(struct copy *copy, enum reason why, size_t done, const void *caller)
{
    if (done > 0) {
        engine_wake(); /* a child sees its parent's blocks before it has any of its own */
        block_export_copy(copy->target, copy->from, caller);
    }
    log_outcome(copy, why, done);
    copy->verdict.reason = why;
    copy->verdict.shared = done;
    copy->verdict.site = copy->place.keys[BY_CLASS];
    observe_copy_judged(copy->to, copy->from, copy->size, &copy->verdict);
    let_go(copy);
}
