/* SPDX-License-Identifier: MIT */
#include "engine/process/entry.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/gate.h"
#include "base/thread.h"
#include "engine/engine.h"
#include "engine/report/export.h"
#include "engine/store/reclaim.h"
#include "kernel/signals.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

static _Atomic bool confined;
static _Atomic int quiet_ones; /* threads that have blocked their signals, or are about to */

/* A handler may jump away before a thread is no longer counted: then it is not counted twice, and no longer after its next operation. The
   order is such that a handler which makes one itself, at any place here, does no harm. */
static void count_me(void)
{
    if (thread_self.counted)
        return;
    atomic_fetch_add(&quiet_ones, 1);
    thread_self.counted = true;
}

static void count_me_out(void)
{
    if (!thread_self.counted)
        return;
    thread_self.counted = false;
    atomic_fetch_sub(&quiet_ones, 1);
}

bool entry_begin(struct entry *entry)
{
    entry->saved_errno = errno;
    entry->quiet = false;
    return gate_enter();
}

/* Whether the process shut itself in while the caller waited at the gate: then nothing may begin any more. */
static bool left_for_confinement(void)
{
    if (!atomic_load(&confined))
        return false;
    gate_leave();
    return true;
}

static bool begin_quiet(struct entry *entry, bool (*enter)(void))
{
    uint64_t signals;

    count_me();
    if (atomic_load(&confined)) {
        count_me_out();
        return false;
    }
    entry->saved_errno = errno;
    signals = signals_block(); /* first: a handler that jumps away must not find the gate passed */
    if (!enter() || left_for_confinement()) {
        signals_restore(signals);
        count_me_out();
        errno = entry->saved_errno;
        return false;
    }
    entry->quiet = true;
    entry->signals = signals;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &entry->cancel_state);
    return true;
}

bool entry_begin_quiet(struct entry *entry)
{
    return begin_quiet(entry, gate_enter);
}

bool entry_begin_now(struct entry *entry)
{
    return begin_quiet(entry, gate_enter_now);
}

void entry_end(struct entry *entry)
{
    int ignored;

    thread_self.yields = false;
    if (entry->quiet)
        export_note_descriptors();
    gate_leave();
    if (entry->quiet) {
        pthread_setcancelstate(entry->cancel_state, &ignored);
        signals_restore(entry->signals);
        count_me_out();
    }
    errno = entry->saved_errno;
}

void entry_let_yield(const struct entry *entry)
{
    thread_self.signals = entry->signals;
    thread_self.yields = true;
}

bool entry_wanted(void)
{
    return thread_self.yields && (gate_wanted() || engine_confined() || signals_pending(thread_self.signals));
}

bool entry_yield(struct entry *entry)
{
    write_guard_rest();
    entry_end(entry);
    if (!entry_begin_quiet(entry))
        return false;
    entry_let_yield(entry);
    return true;
}

void entry_conclude(struct entry *entry)
{
    write_guard_rest();
    entry_let_yield(entry);
    reclaim_event();
    entry_end(entry);
}

void entry_after_fork(void)
{
    atomic_store(&quiet_ones, 0);
    thread_self.counted = false;
}

bool engine_confined(void)
{
    return atomic_load_explicit(&confined, memory_order_relaxed);
}

void entry_shut(bool shut)
{
    atomic_store(&confined, shut);
}

int entry_quiet_ones(void)
{
    return atomic_load(&quiet_ones);
}
