/* SPDX-License-Identifier: MIT */
/* Fork: parent and child show every store that exists now, so that neither punches it while the other does; what is made later is
   younger, and a child makes it in files of its own. What speaks of the parent's memory or descriptors is opened anew in the child.
   The mappings need nothing: they are all private. */
#include "base/gate.h"
#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine/report/export.h"
#include "engine/process/entry.h"
#include "engine/process/fork.h"
#include "engine/policy/fate.h"
#include "engine/report/observe.h"
#include "engine/report/savings.h"
#include "engine/store/store.h"
#include "kernel/kernel.h"

#include "base/poison.h"

/* Makes the state of a child, announced or not, its own; nobody else runs in it. */
static void adopt(void)
{
    if (engine_confined()) /* nothing of the parent's is used any more */
        return;
    entry_after_fork();
    kernel_after_fork();
    export_after_fork(); /* before anything is counted */
    store_after_fork(true);
    counters_reset();
    savings_start();
    fate_after_fork();
    observe_forked();
}

void fork_start(void)
{
    gate_init(adopt); /* a failure leaves announced forks, which are nearly all */
}

void engine_fork_prepare(void)
{
    gate_close();
}

void engine_fork_parent(void)
{
    if (!gate_is_mine()) /* a signal handler that interrupted us: the witness tells */
        return;
    if (!engine_confined())
        store_after_fork(false);
    gate_open();
}

void engine_fork_child(void)
{
    if (!gate_is_mine())
        return;
    adopt();
    gate_open_in_child();
}

bool engine_pause(void)
{
    return gate_pause();
}

void engine_resume(void)
{
    gate_open();
}
