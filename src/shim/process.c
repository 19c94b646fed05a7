/* SPDX-License-Identifier: MIT */
/* Forks that are announced: through pthread_atfork for fork(), daemon(), forkpty(), popen() and whatever else libc does with it,
   and by standing in front of _Fork(). Raw clones are noticed by base/gate.c. */
#include <pthread.h>
#include <sys/types.h>

#include "base/log.h"
#include "base/thread.h"
#include "engine/engine.h"
#include "shim/hook.h"

void process_start(void)
{
    if (pthread_atfork(engine_fork_prepare, engine_fork_parent, engine_fork_child) != 0)
        log_warn("fork handlers could not be registered: children copy plainly");
}

HOOK pid_t _Fork(void);

HOOK pid_t _Fork(void)
{
    pid_t pid;

    /* In a signal handler that interrupted us, or before the start, there is nothing to wait for: the child will find out. */
    if (thread_self.inside || hot.min_copy == SIZE_MAX)
        return next._Fork();
    engine_fork_prepare();
    pid = next._Fork();
    if (pid == 0)
        engine_fork_child();
    else
        engine_fork_parent();
    return pid;
}
