/* SPDX-License-Identifier: MIT */
#include "kernel/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"

#include "base/poison.h"

static _Atomic unsigned long count;
static _Atomic unsigned long fail_at; /* value of count that fails; 0: none */
static _Atomic bool fail_sticky;
static unsigned long fail_errno = ENOMEM;
static unsigned long fail_site; /* a distance from sys_call(), in bytes, either way */

long sys_must(long number, long a, long b, long c, long d, long e, long f)
{
    int saved = errno;
    long result = syscall(number, a, b, c, d, e, f);

    if (result == -1)
        result = -errno;
    errno = saved;
    return result;
}

static bool must_fail(const void *site)
{
    unsigned long now = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) + 1;
    unsigned long at = atomic_load_explicit(&fail_at, memory_order_relaxed);
    long offset = (long)((const char *)site - (const char *)sys_call); /* a test finds the function in the symbol table */
    bool fails = (at != 0 && (now == at || (now > at && atomic_load_explicit(&fail_sticky, memory_order_relaxed)))) ||
                 (fail_site != 0 && offset == (long)fail_site);

    if (fails)
        log_info("call %lu fails at sys_call%+ld", now, offset);
    return fails;
}

__attribute__((noinline)) long sys_call(long number, long a, long b, long c, long d, long e, long f)
{
    if (must_fail(__builtin_return_address(0)))
        return -(long)fail_errno;
    return sys_must(number, a, b, c, d, e, f);
}

__attribute__((noinline)) bool sys_must_fail(int *error)
{
    *error = -(int)fail_errno;
    return must_fail(__builtin_return_address(0));
}

void sys_init(void)
{
    unsigned long n;

    config_internal("fail-errno", &fail_errno);
    config_internal("fail-site", &fail_site);
    if (config_internal("fail", &n))
        sys_fail_at(n, false);
    else if (config_internal("fail-from", &n))
        sys_fail_at(n, true);
}

void sys_fail_at(unsigned long n, bool sticky)
{
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, n == 0 ? 0 : atomic_load(&count) + n);
}

unsigned long sys_count(void)
{
    return atomic_load(&count);
}

long sys_process(void)
{
    return SYS_MUST(SYS_getpid);
}

long sys_read_file(const char *path, char *buffer, unsigned long size)
{
    long fd = SYS(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    unsigned long used = 0;
    long got = 0;

    if (fd < 0)
        return fd;
    while (used < size - 1 && (got = SYS(SYS_read, fd, buffer + used, size - 1 - used)) > 0)
        used += (unsigned long)got;
    SYS_MUST(SYS_close, fd);
    buffer[used] = '\0';
    return got < 0 ? got : (long)used;
}

unsigned long sys_read_number(const char *path, unsigned long fallback)
{
    char text[64];

    if (sys_read_file(path, text, sizeof text) <= 0 || text[0] < '0' || text[0] > '9')
        return fallback;
    return strtoul(text, NULL, 10);
}
