/* SPDX-License-Identifier: MIT */
/* The start of the engine. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/fault.h"
#include "base/gate.h"
#include "base/log.h"
#include "base/sys.h"
#include "engine/block/block.h"
#include "engine/report/savings.h"
#include "engine/engine.h"
#include "engine/store/extent.h"
#include "engine/process/fork.h"
#include "engine/policy/fate.h"
#include "engine/copy/seal.h"
#include "engine/store/store.h"
#include "kernel/descriptor.h"
#include "kernel/fallback.h"
#include "kernel/holders.h"
#include "kernel/pagemap.h"
#include "kernel/storefile.h"
#include "kernel/vma.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

/* Most processes never make a large allocation, and pay for no system call of ours. */
void engine_start(void)
{
    fault_init();
    descriptor_init();
    write_guard_init();
    holders_init();
    storefile_init();
    seal_init();
    fate_init();
    savings_start();
}

static void look_at_machine(void)
{
    gate_init(fork_adopt); /* a failure leaves announced forks, which are nearly all */
    pagemap_init();
    vma_init();
    extent_init();
    if (fallback_forced(FALLBACK_overcommit) || sys_read_number("/proc/sys/vm/overcommit_memory", 0) == 2)
        engine_stop_sharing(STOP_COUNTED, true);
    log_debug("started: pages by %s, maps %s", pagemap_name(), vma_available() ? "verified" : "not verified");
}

void engine_note_hugetlb(void)
{
    vma_note_hugetlb();
}

void engine_note_merging(void)
{
    pagemap_note_merging();
}

void engine_wake(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Atomic bool awake;

    if (!atomic_load_explicit(&awake, memory_order_acquire)) {
        pthread_once(&once, look_at_machine);
        atomic_store_explicit(&awake, true, memory_order_release);
    }
    block_export_all();
}

uint64_t engine_store_bytes(void)
{
    size_t stores;
    uint64_t allocated;

    store_totals(&stores, &allocated);
    return allocated;
}
