/* SPDX-License-Identifier: MIT */
/* While the mprotect guard has its SIGSEGV handler installed, the program sees and sets its own beside it. */
#include <signal.h>

#include "engine/entry.h"
#include "kernel/write_guard.h"
#include "shim/hook.h"

HOOK int sigaction(int number, const struct sigaction *act, struct sigaction *old)
{
    struct entry entry;
    int result;
    bool answered = false;

    if (number == SIGSEGV && entry_begin(&entry)) {
        answered = guard_sigaction(act, old, &result);
        entry_end(&entry);
    }
    return answered ? result : next.sigaction(number, act, old);
}

HOOK sighandler_t signal(int number, sighandler_t handler)
{
    struct sigaction act = {.sa_flags = SA_RESTART};
    struct sigaction old;

    if (number != SIGSEGV)
        return next.signal(number, handler);
    act.sa_handler = handler;
    return sigaction(number, &act, &old) == 0 ? old.sa_handler : SIG_ERR;
}
