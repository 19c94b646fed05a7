/* SPDX-License-Identifier: MIT */
/* Announces forks to the engine: pthread_atfork() handlers cover fork(), daemon(), forkpty() and whatever else libc builds on fork, and
   hooks cover _Fork(), clone() and syscall(). A clone that the program makes by an instruction of its own is noticed in the child by
   base/gate.c. */
#include <linux/sched.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/thread.h"
#include "engine/engine.h"
#include "kernel/write_guard.h"
#include "shim/hook.h"

void process_start(void)
{
    if (pthread_atfork(engine_fork_prepare, engine_fork_parent, engine_fork_child) != 0)
        log_warn("fork handlers could not be registered: children copy plainly");
}

static void after_fork(long pid)
{
    if (pid == 0)
        engine_fork_child();
    else
        engine_fork_parent();
}

HOOK pid_t _Fork(void)
{
    pid_t pid;

    if (!hot.started)
        return next._Fork();
    engine_fork_prepare();
    pid = next._Fork();
    after_fork(pid);
    return pid;
}

struct start {
    int (*child)(void *);
    void *argument;
};

/* Runs in the child, on the stack that the program gave it. `argument` points into the parent's stack, of which the child has a copy. */
static int start_child(void *argument)
{
    struct start *start = argument;

    engine_fork_child();
    return start->child(start->argument);
}

/* A process is about to share our memory that is no thread of ours, and whose parent does not wait for it as after vfork(). Operations
   under way may have found that nobody else can write, so that this waits for their end before it says otherwise. */
static void expect_company(void)
{
    bool paused = engine_pause();

    write_guard_company();
    if (paused)
        engine_resume();
}

HOOK int clone(int (*child)(void *), void *stack, int flags, void *argument, ...)
{
    struct start start = {child, argument};
    va_list arguments;
    pid_t *parent;
    void *tls;
    pid_t *id;
    int pid;

    va_start(arguments, argument);
    parent = va_arg(arguments, pid_t *);
    tls = va_arg(arguments, void *);
    id = va_arg(arguments, pid_t *);
    va_end(arguments);
    if (hot.started && (flags & (CLONE_VM | CLONE_VFORK | CLONE_THREAD)) == CLONE_VM)
        expect_company();
    if (!hot.started || (flags & CLONE_VM) != 0 || child == NULL || stack == NULL)
        return next.clone(child, stack, flags, argument, parent, tls, id);
    engine_fork_prepare();
    pid = next.clone(start_child, stack, flags, &start, parent, tls, id);
    engine_fork_parent();
    return pid;
}

/* Whether a system call copies the process so that the child returns from it here. A child with a stack of its own does not return here,
   nor could it return to our caller, and is left alone. Programs find out with invalid arguments whether the kernel knows clone3; the
   kernel answers those without us. */
static bool forks(long number, long first, long second)
{
    switch (number) {
#ifdef SYS_fork
    case SYS_fork:
        return true;
#endif
    case SYS_clone:
        return (first & CLONE_VM) == 0 && second == 0;
    case SYS_clone3: {
        const struct clone_args *arguments = (const struct clone_args *)first;

        return (size_t)second >= CLONE_ARGS_SIZE_VER0 && memory_readable(arguments, CLONE_ARGS_SIZE_VER0) &&
               (arguments->flags & CLONE_VM) == 0 && arguments->stack == 0;
    }
    default:
        return false;
    }
}

HOOK long syscall(long number, ...)
{
    long a[6];
    va_list arguments;
    long result;

    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    /* What an observer calls while this thread is inside the engine is no call of the program's. */
    if (hot.started && !thread_self.inside && (memory_syscall(number, a, &result) || confine_syscall(number, a, &result)))
        return result;
    if (!UNLIKELY(hot.started && forks(number, a[0], a[1])))
        return next.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    engine_fork_prepare();
    result = next.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    after_fork(result);
    return result;
}
