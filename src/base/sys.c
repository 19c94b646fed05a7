/* SPDX-License-Identifier: MIT */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/next.h"

#include "base/poison.h"

static _Atomic unsigned long count;
static sys_fault *_Atomic asked; /* a test sets it while other threads call */

/* The next one: ours would look whether it is a call of the program's. */
long sys_must(long number, long a, long b, long c, long d, long e, long f)
{
    int saved = errno;
    long result = next.syscall(number, a, b, c, d, e, f);

    if (result == -1)
        result = -errno;
    errno = saved;
    return result;
}

static long must_fail(const void *site)
{
    unsigned long now = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) + 1;
    sys_fault *fault = atomic_load_explicit(&asked, memory_order_relaxed);

    return fault == NULL ? 0 : fault(now, (const char *)site - (const char *)sys_call);
}

__attribute__((noinline)) long sys_call(long number, long a, long b, long c, long d, long e, long f)
{
    long error = must_fail(__builtin_return_address(0));

    return error != 0 ? error : sys_must(number, a, b, c, d, e, f);
}

__attribute__((noinline)) int sys_must_fail(void)
{
    return (int)must_fail(__builtin_return_address(0));
}

void sys_set_fault(sys_fault *fault)
{
    atomic_store(&asked, fault);
}

unsigned long sys_count(void)
{
    return atomic_load(&count);
}

void sys_pause(unsigned milliseconds)
{
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000L};

    SYS_MUST(SYS_nanosleep, &pause, 0);
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
