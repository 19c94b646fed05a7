/* SPDX-License-Identifier: MIT */
#include "engine/store/glance.h"

#include <stdatomic.h>

#include "base/thread.h"
#include "engine/engine.h"
#include "engine/process/entry.h"
#include "engine/store/reclaim.h"
#include "engine/store/store.h"
#include "kernel/descriptor.h"
#include "kernel/usage.h"

#include "base/poison.h"

/* Calls too small for us serve as occasions to sweep. A thread looks at the clock once in GLANCE_EVERY such calls while the clock moved
   less than GLANCE_QUICK_NS in between, and at each call otherwise; the process sweeps on such an occasion once in GLANCE_REST_NS. */
#define GLANCE_EVERY 64
#define GLANCE_QUICK_NS 1000000
#define GLANCE_REST_NS 5000000
/* Small calls are watched for such occasions only while the stores have at least this many bytes. */
#define WATCH_FROM ((uint64_t)1 << 20)

static void (*_Atomic watcher)(bool on);
static _Atomic bool watching;

void engine_watch(void (*watch)(bool on))
{
    atomic_store(&watcher, watch);
}

void glance_at_stores(void)
{
    bool wanted = store_bytes() >= WATCH_FROM;
    void (*watch)(bool on) = atomic_load_explicit(&watcher, memory_order_relaxed);

    if (watch != NULL && wanted != atomic_load_explicit(&watching, memory_order_relaxed) && atomic_exchange(&watching, wanted) != wanted)
        watch(wanted);
}

static bool glance_is_due(void)
{
    static _Atomic uint64_t earliest;
    uint64_t now = usage_now();
    uint64_t then = atomic_load_explicit(&earliest, memory_order_relaxed);

    thread_self.passing = now - thread_self.glanced < GLANCE_QUICK_NS ? GLANCE_EVERY : 0;
    thread_self.glanced = now;
    return now >= then && !reclaim_rests(now) && atomic_compare_exchange_strong(&earliest, &then, now + GLANCE_REST_NS);
}

void engine_glance(void)
{
    struct entry entry;

    if (engine_confined() || !glance_is_due() || !descriptor_in_own_process() || !entry_begin_now(&entry))
        return;
    entry_let_yield(&entry);
    reclaim_event();
    entry_end(&entry);
}
