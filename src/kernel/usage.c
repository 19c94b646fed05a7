/* SPDX-License-Identifier: MIT */
#include "kernel/usage.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/page.h"
#include "base/sys.h"

#include "base/poison.h"

uint64_t usage_faults(void)
{
    struct rusage usage;

    return SYS_MUST(SYS_getrusage, RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_minflt : 0;
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now = {0, 0};

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t usage_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t usage_since_boot(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

uint64_t usage_spent(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t usage_processor(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

bool usage_huge_always(void)
{
    static _Atomic int known; /* 0: not read, 1: no, 2: yes */
    char text[64];

    if (atomic_load_explicit(&known, memory_order_relaxed) == 0) {
        bool always =
            sys_read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text) > 0 && strstr(text, "[always]") != NULL;

        atomic_store_explicit(&known, always ? 2 : 1, memory_order_relaxed);
    }
    return atomic_load_explicit(&known, memory_order_relaxed) == 2;
}

uint64_t usage_anonymous(void)
{
    char text[128]; /* three counts of pages: the size, what is resident, and how much of that belongs to files and shared memory */
    char *at = text;
    uint64_t resident, shared;

    if (sys_read_file("/proc/self/statm", text, sizeof text) <= 0)
        return 0;
    strtoull(at, &at, 10);
    resident = strtoull(at, &at, 10);
    shared = strtoull(at, &at, 10);
    return resident > shared ? (resident - shared) * page_size : 0;
}
