/* SPDX-License-Identifier: MIT */
#include "engine/store/reclaim.h"

#include <stdatomic.h>

#include "base/arena.h"
#include "base/lock.h"
#include "engine/report/counters.h"
#include "engine/store/extent.h"
#include "engine/store/glance.h"
#include "engine/store/store.h"
#include "engine/store/sweep.h"
#include "kernel/descriptor.h"
#include "kernel/usage.h"

#include "base/poison.h"

/* A sweep is worth its time when at least one part in this many of all store bytes can have died since the last one. */
#define WORTH 32
/* A sweep that finds nothing gives up a store after PATIENCE_NS, and the walk over all stores after PATIENCE_ALL_NS. The next sweep begins
   with what this one did not reach. */
#define PATIENCE_NS 2000000
#define PATIENCE_ALL_NS 10000000
/* After a sweep that found nothing there is none for REST times as long as it took, so that useless sweeps cost a sixteenth of the time at
   most. Dead pages are found soon all the same: a page takes about REST times as long to be written as to be looked at. */
#define REST 16
/* The same factor for asking whether another process still shows stores. It is larger because processes end rarely. */
#define REST_OF_OTHERS 256

static struct lock sweep_lock = LOCK_INITIALIZER(LOCK_SWEEP);
static _Atomic uint64_t faults_then; /* page faults of the process when a sweep was last due, or when the first store was made */
static uint64_t unshown_so_far;      /* bytes of views that ended since then */
static bool unfinished;              /* the last walk over all stores was cut short */
static _Atomic uint64_t rest_until;  /* the last sweep found nothing: the next one is not before this time */
static uint64_t ask_after;           /* the process's page faults are not asked for again before this time */
static uint64_t settle_after;        /* other processes are not asked again before this time */
static _Atomic bool demanded;        /* a page that died may hold a secret: the next event sweeps, whatever that costs */

/* When to give up: never, where a page that may be dead may hold a secret. */
static uint64_t deadline(bool secret, uint64_t patience)
{
    return secret ? UINT64_MAX : usage_now() + patience;
}

/* False: it was cut short. *freed grows by the bytes given back. */
static bool sweep_store(struct store *store, struct view *views, bool secret, uint64_t *freed)
{
    struct sweep sweep = {.store = store, .views = views, .deadline = deadline(secret, PATIENCE_NS)};
    bool whole = true;

    sweep_part(&sweep, &store->sweep_at, UINT64_MAX, &whole);
    *freed += sweep.freed;
    return whole;
}

/* Whether enough pages can have died since a sweep was last due. A page can only die by a page fault, or with a view. */
static bool is_due(void)
{
    uint64_t stored = store_bytes();
    uint64_t faults = usage_faults();
    uint64_t possible;

    if (stored == 0)
        return false;
    unshown_so_far += store_take_unshown();
    possible = (faults - atomic_load_explicit(&faults_then, memory_order_relaxed)) * page_size + unshown_so_far;
    if (possible < stored / WORTH)
        return false;
    atomic_store_explicit(&faults_then, faults, memory_order_relaxed);
    unshown_so_far = 0;
    return true;
}

/* True: all stores were looked at. */
static bool sweep_all_with(struct view *views, bool secret, uint64_t *freed)
{
    uint64_t end = deadline(secret, PATIENCE_ALL_NS);
    struct store *store = store_after(NULL);
    bool whole = true;

    while (store != NULL) {
        whole = sweep_store(store, views, secret, freed) && whole;
        if (sweep_over(*freed, end)) {
            store_make_first(store);
            store_release(store);
            return false;
        }
        store = store_after(store);
    }
    return whole;
}

static bool sweep_all(bool secret, uint64_t *freed)
{
    struct view *views = scratch_take();
    bool whole = views == NULL || sweep_all_with(views, secret, freed);

    scratch_give(views);
    return whole;
}

/* Gives back what could not be given back while another process showed it. True: no other process shows our stores any more, so that all of
   them can be swept again. */
static bool settle(void)
{
    uint64_t start;
    bool regained;

    if (!store_unsettled() || usage_now() < settle_after || !descriptor_in_own_process())
        return false;
    start = usage_spent();
    regained = store_settle();
    settle_after = usage_now() + REST_OF_OTHERS * (usage_spent() - start);
    return regained;
}

/* To ask how many faults there were takes a system call, and a program that frees often would make one each time. */
static bool is_due_by_now(void)
{
    uint64_t now = usage_now();
    bool due;

    if (now < ask_after)
        return false;
    due = is_due();
    ask_after = now + REST * (usage_now() - now);
    return due;
}

static bool must_look(bool *secret)
{
    bool wanted = settle();

    *secret = atomic_exchange(&demanded, false);
    return *secret || wanted || (usage_now() >= rest_until && (unfinished || is_due_by_now()));
}

void reclaim_event(void)
{
    uint64_t freed = 0;
    uint64_t start;
    bool secret;

    glance_at_stores();
    if (store_bytes() == 0 || !lock_try(&sweep_lock))
        return;
    if (must_look(&secret)) {
        start = usage_spent(); /* processor time of this thread, because others may run while we look */
        unfinished = descriptor_in_own_process() && !sweep_all(secret, &freed);
        rest_until = freed > 0 ? 0 : usage_now() + REST * (usage_spent() - start);
        counter_add(COUNT_reclaimed_bytes, freed);
    }
    lock_drop(&sweep_lock);
}

void reclaim_first_store(void)
{
    atomic_store_explicit(&faults_then, usage_faults(), memory_order_relaxed);
}

bool reclaim_rests(uint64_t now)
{
    return now < atomic_load_explicit(&rest_until, memory_order_relaxed);
}

void reclaim_demand(void)
{
    atomic_store(&demanded, true);
}

/* A part of a store that a range shows; the store is held. */
struct shown {
    struct store *store;
    uint64_t start, end;
};

/* Finds the first part of [*from, end) that shows a store, and moves *from behind it. False: there is none. */
static bool next_shown(uintptr_t *from, uintptr_t end, struct shown *shown)
{
    struct block *block;

    shown->store = NULL;
    while (shown->store == NULL && *from < end && (block = block_find_from(*from)) != NULL) {
        const struct extent *extent;

        lock_take(&block->lock);
        extent = extent_from(block, *from);
        if (extent == NULL) {
            *from = max_address(page_up(block_end(block)), *from + page_size);
        } else if (extent_start(extent) < end) {
            uintptr_t start = max_address(extent_start(extent), *from);

            *from = min_address(extent_end(extent), end);
            *shown = (struct shown){extent->store, extent_offset(extent, start), extent_offset(extent, start) + (*from - start)};
            store_hold(extent->store);
        } else {
            *from = end;
        }
        lock_drop(&block->lock);
        block_release(block);
    }
    return shown->store != NULL;
}

void reclaim_wiped(uintptr_t start, uintptr_t end)
{
    struct view *views;
    struct shown shown;

    if (!next_shown(&start, end, &shown)) /* the usual case: the secret lies in memory that shows no store */
        return;
    views = scratch_take();
    lock_take(&sweep_lock);
    do {
        struct sweep sweep = {.store = shown.store, .views = views, .deadline = UINT64_MAX};
        uint64_t at = align_down(shown.start, 8 * page_size);
        bool whole;

        if (views == NULL || !sweep_part(&sweep, &at, shown.end, &whole))
            reclaim_demand();
        counter_add(COUNT_reclaimed_bytes, sweep.freed);
        store_release(shown.store);
    } while (next_shown(&start, end, &shown));
    lock_drop(&sweep_lock);
    scratch_give(views);
}
