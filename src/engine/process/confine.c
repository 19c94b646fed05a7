/* SPDX-License-Identifier: MIT */
/* The program shuts itself in (seccomp). */
#include "base/gate.h"
#include "base/sys.h"
#include "engine/engine.h"
#include "engine/process/entry.h"
#include "kernel/descriptor.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

#define PATIENCE_MS 20000

/* Waits for the threads that are inside, but not for ever: one that a handler jumped away from while its signals were not blocked stays
   counted until its next operation. */
static void await_quiet_ones(void)
{
    for (int i = 0; i < PATIENCE_MS && entry_quiet_ones() > 0; i++)
        sys_pause(1);
}

void engine_confine(bool confine)
{
    entry_shut(confine);
    descriptor_hide(confine);
    if (!confine)
        return;
    if (gate_pause()) /* afterwards nobody is inside, and whoever comes waits */
        gate_open();
    await_quiet_ones();
    write_guard_end();
}
