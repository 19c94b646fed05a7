/* SPDX-License-Identifier: MIT */
#include "engine/process/entry.h"

#include <errno.h>
#include <pthread.h>

#include "base/gate.h"
#include "engine/report/export.h"
#include "kernel/signals.h"

#include "base/poison.h"

bool entry_begin(struct entry *entry)
{
    entry->saved_errno = errno;
    entry->quiet = false;
    return gate_enter();
}

bool entry_begin_quiet(struct entry *entry)
{
    uint64_t signals = signals_block(); /* first: a handler that jumps away must not find the gate passed */

    if (!entry_begin(entry)) {
        signals_restore(signals);
        return false;
    }
    entry->quiet = true;
    entry->signals = signals;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &entry->cancel_state);
    return true;
}

void entry_end(struct entry *entry)
{
    int ignored;

    if (entry->quiet)
        export_note_descriptors();
    gate_leave();
    if (entry->quiet) {
        pthread_setcancelstate(entry->cancel_state, &ignored);
        signals_restore(entry->signals);
    }
    errno = entry->saved_errno;
}
