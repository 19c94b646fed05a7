/* SPDX-License-Identifier: MIT */
#include "kernel/pressure.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "kernel/usage.h"

#include "base/poison.h"

#define AGAIN UINT64_C(250000000) /* ns */
/* Percent of the time in which some task waited, over ten seconds. */
#define STALLED 10
/* Nearly full: less than one part in this many is left. */
#define PART 16

static _Atomic uint64_t looked_at;
static _Atomic bool high;

bool pressure_stalls(const char *psi)
{
    const char *some = strstr(psi, "some avg10=");

    return some != NULL && strtoul(some + strlen("some avg10="), NULL, 10) >= STALLED;
}

static uint64_t field(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

bool pressure_machine_full(const char *meminfo)
{
    uint64_t total = field(meminfo, "MemTotal:"), left = field(meminfo, "MemAvailable:");

    return total > 0 && strstr(meminfo, "MemAvailable:") != NULL && left < total / PART;
}

bool pressure_group_full(uint64_t used, uint64_t limit)
{
    return used > limit - limit / PART;
}

/* The process's own group in cgroup v2: `0::/path`. */
static bool group_full(void)
{
    char text[512], path[600];
    const char *own;
    uint64_t limit;
    char *end;

    if (sys_read_file("/proc/self/cgroup", text, sizeof text) <= 0 || (own = strstr(text, "0::/")) == NULL)
        return false;
    end = strchr(own, '\n');
    if (end != NULL)
        *end = '\0';
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", own + strlen("0::"));
    limit = sys_read_number(path, 0);
    if (limit == 0) /* "max", or none */
        return false;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.current", own + strlen("0::"));
    return pressure_group_full(sys_read_number(path, 0), limit);
}

static bool look(void)
{
    char text[2048];

    if (sys_read_file("/proc/pressure/memory", text, sizeof text) > 0 && pressure_stalls(text))
        return true;
    return (sys_read_file("/proc/meminfo", text, sizeof text) > 0 && pressure_machine_full(text)) || group_full();
}

bool pressure_high(void)
{
    uint64_t now = usage_now();
    uint64_t before = atomic_load(&looked_at);

    if ((before == 0 || now - before > AGAIN) && atomic_compare_exchange_strong(&looked_at, &before, now))
        atomic_store(&high, look());
    return atomic_load(&high);
}
