/* SPDX-License-Identifier: MIT */
/* Memory calls that the program makes by number, with syscall() or ioctl(). */
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/page.h"
#include "engine/engine.h"
#include "kernel/holders.h"
#include "kernel/map.h"
#include "shim/hook.h"

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

bool memory_readable(const void *from, size_t size)
{
    uintptr_t start = (uintptr_t)from;

    return !engine_confined() && map_readable(page_down(start)) && map_readable(page_down(start + size - 1));
}

/* A program that registers memory with userfaultfd, to serve or to watch it, must find it as it would be without us. In a view there are
   pages where the program had discarded all, and what the kernel notes of pages that nobody has read yet looks as if they had been written.
   Therefore such memory leaves sharing first. */
HOOK int ioctl(int descriptor, unsigned long request, ...)
{
    const struct uffdio_register *watched;
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    watched = argument;
    if (UNLIKELY(request == UFFDIO_REGISTER) && hot.started && memory_readable(watched, sizeof *watched))
        engine_memory_call((const void *)(uintptr_t)watched->range.start, (size_t)watched->range.len, MEMORY_KEEP);
    return next.ioctl(descriptor, request, argument);
}

/* Calls that the engine only has to know of before the kernel makes them. */
static bool announce(long number, const long *a)
{
    switch (number) {
    case SYS_io_uring_setup:
    case SYS_io_setup:
        holders_note(HOLDER_RING);
        return true;
    case SYS_userfaultfd:
        holders_note(HOLDER_PAGER);
        return true;
    case SYS_vmsplice:
        holders_note(HOLDER_READER);
        return true;
#ifdef SYS_setsockopt
    case SYS_setsockopt:
        if (a[1] == SOL_SOCKET && a[2] == SO_ZEROCOPY)
            holders_note(HOLDER_READER);
        return true;
#endif
    case SYS_mbind: /* where pages shall lie: those of a store lie where they were written */
    case SYS_set_mempolicy_home_node:
        engine_memory_call((const void *)a[0], (size_t)a[1], MEMORY_KEEP);
        return true;
    default:
        return false;
    }
}

/* Source of the numbers: linux/mempolicy.h. libnuma asks when it is loaded what the kernel can do, and sets the default again. */
static long set_policy(const long *a)
{
    enum { DEFAULT = 0, LOCAL = 4, FLAGS = 7 << 13 };
    long mode = a[0] & ~(long)FLAGS;
    long result = next.syscall(SYS_set_mempolicy, a[0], a[1], a[2], 0L, 0L, 0L);

    if (result == 0)
        engine_stop_sharing(STOP_PLACED, mode != DEFAULT && mode != LOCAL);
    return result;
}

static bool lock_syscall(long number, const long *a, long *result)
{
    switch (number) {
    case SYS_mlock:
        *result = mlock((void *)a[0], (size_t)a[1]);
        return true;
    case SYS_mlock2:
        *result = mlock2((void *)a[0], (size_t)a[1], (unsigned)a[2]);
        return true;
    case SYS_mlockall:
        *result = mlockall((int)a[0]);
        return true;
    case SYS_munlockall:
        *result = munlockall();
        return true;
    default:
        return false;
    }
}

/* Calls that change the attributes of mappings. */
static bool attribute_syscall(long number, const long *a, long *result)
{
    switch (number) {
    case SYS_madvise:
        *result = madvise((void *)a[0], (size_t)a[1], (int)a[2]);
        return true;
    case SYS_mprotect:
        *result = mprotect((void *)a[0], (size_t)a[1], (int)a[2]);
        return true;
    case SYS_pkey_mprotect:
        *result = pkey_mprotect((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3]);
        return true;
    case SYS_mseal:
        *result = mseal((void *)a[0], (size_t)a[1], (unsigned long)a[2]);
        return true;
#ifdef SYS_process_madvise
    case SYS_process_madvise:
        *result = process_madvise((int)a[0], (const struct iovec *)a[1], (size_t)a[2], (int)a[3], (unsigned)a[4]);
        return true;
#endif
    default:
        return false;
    }
}

bool memory_syscall(long number, const long *a, long *result)
{
    switch (number) {
    case SYS_ioctl:
        *result = ioctl((int)a[0], (unsigned long)a[1], a[2]);
        return true;
    case SYS_munmap:
        *result = munmap((void *)a[0], (size_t)a[1]);
        return true;
#ifdef SYS_mmap
    case SYS_mmap:
        *result = (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
        return true;
#endif
    case SYS_set_mempolicy:
        *result = set_policy(a);
        return true;
    case SYS_mremap:
        *result = (long)mremap((void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], (void *)a[4]);
        return true;
#ifdef SYS_shmat
    case SYS_shmat:
        *result = (long)shmat((int)a[0], (const void *)a[1], (int)a[2]);
        return true;
#endif
    default:
        return !announce(number, a) && (attribute_syscall(number, a, result) || lock_syscall(number, a, result));
    }
}
