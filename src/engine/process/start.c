/* SPDX-License-Identifier: MIT */
/* The start of the engine. */
#include <pthread.h>
#include <stdatomic.h>

#include "engine/block/block.h"
#include "engine/copy/seal.h"
#include "engine/engine.h"
#include "engine/policy/fate.h"
#include "engine/process/fork.h"
#include "engine/report/savings.h"
#include "engine/store/extent.h"
#include "kernel/kernel.h"
#include "kernel/storefile.h"

#include "base/poison.h"

/* Most processes never make a large allocation, and pay for no system call of ours. */
void engine_start(void)
{
    kernel_start();
    seal_init();
    fate_init();
    savings_start();
}

static void look_at_machine(void)
{
    fork_start();
    kernel_look();
    extent_init();
    if (storefile_counted())
        engine_stop_sharing(STOP_COUNTED, true);
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
