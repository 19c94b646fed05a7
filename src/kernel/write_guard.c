/* SPDX-License-Identifier: MIT */
#include "kernel/write_guard.h"

#include <stddef.h>

#include "base/config.h"
#include "kernel/fallback.h"

#include "base/poison.h"

static bool always, without_uffd, without_mprotect;
static _Atomic bool company;

static int stop_nobody(uintptr_t start, uintptr_t end)
{
    (void)start;
    (void)end;
    return 0;
}

static void let_go(uintptr_t start, uintptr_t end)
{
    (void)start;
    (void)end;
}

const struct write_guard write_guard_none = {"none", false, stop_nobody, let_go, let_go};

void write_guard_init(void)
{
    always = config_internal("guard-always", NULL);
    without_uffd = fallback_forced(FALLBACK_uffd);
    without_mprotect = fallback_forced(FALLBACK_mprotect);
    uffd_init();
}

const struct write_guard *write_guard_pick_for_files(unsigned threads)
{
    if (threads == 1 && !always && !company)
        return &write_guard_none;
    return without_mprotect || company ? NULL : &write_guard_mprotect;
}

const struct write_guard *write_guard_pick(unsigned threads)
{
    const struct write_guard *guard = write_guard_pick_for_files(threads);

    return guard != &write_guard_none && !without_uffd && uffd_probe() == 0 ? &write_guard_uffd : guard;
}

void write_guard_company(void)
{
    company = true;
}

void write_guard_after_fork(void)
{
    company = false;
    uffd_after_fork();
}
