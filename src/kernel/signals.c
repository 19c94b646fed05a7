/* SPDX-License-Identifier: MIT */
#include "kernel/signals.h"

#include <signal.h>
#include <sys/syscall.h>

#include "base/sys.h"

#include "base/poison.h"

#define BIT(number) (UINT64_C(1) << ((number)-1))

uint64_t signals_block(void)
{
    uint64_t all = ~(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGSYS));
    uint64_t before = 0;

    SYS_MUST(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof all);
    return before;
}

void signals_restore(uint64_t mask)
{
    SYS_MUST(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof mask);
}

bool signals_pending(uint64_t mask)
{
    uint64_t pending = 0;

    SYS_MUST(SYS_rt_sigpending, &pending, sizeof pending);
    return (pending & ~mask) != 0;
}
