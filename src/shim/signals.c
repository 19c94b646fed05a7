/* SPDX-License-Identifier: MIT */
/* While the mprotect guard has its SIGSEGV handler installed, the program sees and sets its own beside it. A signal
   stack must never be held, because the kernel could not write the frame of a handler to it. */
#include <pthread.h>
#include <signal.h>

#include "engine/engine.h"
#include "engine/process/entry.h"
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

HOOK int sigaltstack(const stack_t *stack, stack_t *old)
{
    if (hot.started && stack != NULL && (stack->ss_flags & SS_DISABLE) == 0)
        engine_memory_call(stack->ss_sp, stack->ss_size, MEMORY_EXCLUDE);
    return next.sigaltstack(stack, old);
}

HOOK int pthread_attr_setstack(pthread_attr_t *attributes, void *stack, size_t size)
{
    if (hot.started)
        engine_memory_call(stack, size, MEMORY_EXCLUDE);
    return next.pthread_attr_setstack(attributes, stack, size);
}
