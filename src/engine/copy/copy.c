/* SPDX-License-Identifier: MIT */
/* engine_copy: what is shared is the attempt's (attempt.h), what is done plainly and the edges are done here. */
#include "base/bytes.h"
#include "base/log.h"
#include "engine/control.h"
#include "engine/copy/attempt.h"
#include "engine/engine.h"
#include "engine/memory/drop.h"
#include "engine/policy/fate.h"
#include "engine/policy/hint.h"
#include "engine/process/entry.h"
#include "engine/report/savings.h"
#include "kernel/costs.h"

#include "base/poison.h"

/* Copies the slices that the policy wants plain, as far as the snapshot came (done). Returns how many bytes these were. */
static size_t copy_slices(const struct copy *copy, struct whole_pages pages, size_t done)
{
    size_t all = (pages.end - pages.start) / page_size, bytes = 0;
    uint64_t plain = copy->snapshot.plain;
    unsigned count = slice_count(all);

    for (unsigned at = 0, end; at < count; at = end) {
        size_t from = slice_start(all, at) * page_size, to;

        end = slice_alike(plain, at, count);
        to = slice_start(all, end) * page_size;
        to = to < done ? to : done;
        if ((plain >> at & 1) == 0 || from >= to)
            continue;
        bytes_copy((void *)(pages.start + (copy->to - copy->from) + from), (const void *)(pages.start + from), to - from);
        bytes += to - from;
    }
    return bytes;
}

/* Copies all that the snapshot did not do: the edges, the plain slices, and what comes after the point where it stopped. */
static void finish(const struct copy *copy, size_t done, bool in_use)
{
    struct whole_pages pages = whole_pages(copy->from, copy->size);
    size_t head = pages.start - copy->from;
    size_t rest = copy->size - head - done;
    uint64_t before = in_use ? costs_clock() : 0;
    size_t plain = copy_slices(copy, pages, done);

    if (in_use)
        fate_note_plain(&copy->place, costs_clock() - before, plain / page_size, (pages.end - pages.start) / page_size);
    bytes_copy((void *)copy->to, (const void *)copy->from, head);
    bytes_copy((void *)(copy->to + head + done), (const void *)(copy->from + head + done), rest);
    counter_add(COUNT_copies_shared, 1);
    counter_add(COUNT_bytes_shared, done - plain);
    counter_add(COUNT_bytes_edges, head + rest + plain);
}

static enum engine_copied finish_shared(const struct copy *copy, size_t done, bool in_use)
{
    if (done > 0)
        finish(copy, done, in_use);
    return done > 0 ? COPIED_SHARED : COPIED_NOT;
}

/* Whether the copy is known to be better plain, and no observer wants to hear of it. A hint is a hash: what must not be
   wrong is asked again. */
static bool is_plain(const struct copy *copy)
{
    if (observed() || !hint_plain(copy->to, copy->from, copy->size) || attempt_overlaps(copy))
        return false;
    reason_add(REASON_unlikely, copy->size);
    log_debug("copy of %zu bytes from %p to %p: plain, as the last ones: %s", copy->size, (void *)copy->from, (void *)copy->to,
              reason_words(REASON_unlikely));
    return true;
}

/* Makes a copy that the policy declined. Learns what that costs where both ends are known to be in use, which is not asked when a hint let
   the copy pass (hint.h). */
static enum engine_copied copy_plainly(const struct copy *copy, bool in_use)
{
    uint64_t before = in_use ? costs_clock() : 0;

    bytes_copy((void *)copy->to, (const void *)copy->from, copy->size);
    if (in_use)
        fate_note_plain(&copy->place, costs_clock() - before, copy->size / page_size, copy->size / page_size);
    return COPIED_PLAINLY;
}

enum engine_copied engine_copy(void *to, const void *from, size_t size, const void *caller)
{
    struct copy copy = {.to = (uintptr_t)to, .from = (uintptr_t)from, .size = size};
    struct entry entry;
    enum reason why;
    bool declined, in_use;
    size_t done = 0;

    if (is_plain(&copy))
        return copy_plainly(&copy, false);
    if (!observe_look(OBSERVED_COPY, size))
        return COPIED_NOT;
    copy.place = policy_origin((uintptr_t)caller, copy.from, size);
    if (!entry_begin_quiet(&entry)) {
        reason_add(REASON_nested, size);
        return COPIED_NOT;
    }
    entry_let_yield(&entry);
    why = attempt_sharing(&copy, &done);
    if (!attempt_to_end(&copy, &entry, &done, &why))
        return finish_shared(&copy, done, false);
    if (why != REASON_none && done == 0 && copy.target != NULL && why != REASON_foreign_process && !attempt_overlaps(&copy) &&
        !engine_sharing_stopped())
        drop_overwritten(copy.target, copy.to, size);
    declined = why == REASON_unlikely && done == 0; /* by the policy, which is asked last, when everything else allows sharing */
    if (declined)
        hint_give(copy.to, copy.from, size);
    else
        hint_take(copy.to, copy.from, size);
    in_use = attempt_in_use(&copy);
    attempt_end(&copy, why, done, caller);
    savings_event();
    entry_conclude(&entry);
    if (declined)
        return copy_plainly(&copy, in_use);
    return finish_shared(&copy, done, in_use);
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
    entry_let_yield(&entry);
    why = attempt_sharing(&copy, done);
    if (attempt_to_end(&copy, &entry, done, &why)) {
        attempt_end(&copy, why, *done, caller);
        savings_event();
        entry_conclude(&entry);
    } else {
        why = REASON_excluded;
    }
    if (*done > 0 && !(whole && why != REASON_none))
        finish(&copy, *done, false);
    *shared = *done - copy.snapshot.copied - copy.snapshot.plain_bytes;
    return why == REASON_none && *done == 0 ? REASON_no_store : why; /* an observer that lets nothing be shared */
}
