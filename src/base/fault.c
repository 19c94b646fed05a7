/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/config.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/thread.h"

#include "base/poison.h"

static _Atomic unsigned long fail_at; /* the number of the call; 0: none. Tests change it while other threads call */
static _Atomic bool fail_sticky;
static unsigned long fail_errno = ENOMEM;
static unsigned long fail_site;

/* Set while a failure is logged: the system calls that write the message must not fail in turn. */
static THREAD_LOCAL bool telling;

static long fault(unsigned long now, long site)
{
    unsigned long at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    bool by_number = at != 0 && (now == at || (now > at && atomic_load_explicit(&fail_sticky, memory_order_relaxed)));

    if (telling || (!by_number && (fail_site == 0 || site != (long)fail_site)))
        return 0;
    telling = true;
    log_info("call %lu fails at sys_call%+ld", now, site);
    telling = false;
    return -(long)fail_errno;
}

void fault_init(void)
{
    unsigned long n;

    config_internal("fail-errno", &fail_errno);
    if (config_internal("fail-site", &fail_site))
        sys_set_fault(fault);
    if (config_internal("fail", &n))
        fault_at(n, false);
    else if (config_internal("fail-from", &n))
        fault_at(n, true);
}

void fault_at(unsigned long n, bool sticky)
{
    sys_set_fault(fault);
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, n == 0 ? 0 : sys_count() + n);
}
