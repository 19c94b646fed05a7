/* SPDX-License-Identifier: MIT */
/* prctl(), and how a program shuts itself in. A filter of seccomp may kill for any system call that the program itself does not make,
   and the strict mode for nearly all: from then on only plain copies are made, and memory is given back with the program's own calls.
   The call that was made without libc is not seen; nor is what filters a program was started with. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "engine/engine.h"
#include "kernel/holders.h"
#include "shim/hook.h"

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif

/* Of struct hot, while it is so. */
static size_t min_copy, min_size, min_allocation, min_block, min_mapping;

/* False: it is so already. */
static bool shut_in(void)
{
    if (!hot.started || engine_confined())
        return false;
    min_copy = hot.min_copy;
    min_size = hot.min_size;
    min_allocation = hot.min_allocation;
    min_block = hot.min_block;
    min_mapping = hot.min_mapping;
    hot.min_copy = hot.min_size = hot.min_allocation = hot.min_block = hot.min_mapping = SIZE_MAX;
    engine_confine(true);
    return true;
}

/* The kernel did not agree: libraries ask that way what it can do. */
static void let_out(void)
{
    engine_confine(false);
    hot.min_size = min_size;
    hot.min_copy = min_copy;
    hot.min_allocation = min_allocation;
    hot.min_block = min_block;
    hot.min_mapping = min_mapping;
}

static int change_process(int option, const long *a)
{
    bool shuts = option == PR_SET_SECCOMP && shut_in();
    int result;

    if (hot.started && option == PR_SET_VMA && a[0] == PR_SET_VMA_ANON_NAME)
        engine_memory_call((const void *)a[1], (size_t)a[2], MEMORY_KEEP);
    if (hot.started && option == PR_SET_MEMORY_MERGE && a[0] != 0)
        engine_note_merging();
    if (option == PR_SET_PTRACER && a[0] != 0)
        holders_note(HOLDER_RING);
    result = next.prctl(option, a[0], a[1], a[2], a[3]);
    if (shuts && result != 0)
        let_out();
    return result;
}

HOOK int prctl(int option, ...)
{
    va_list arguments;
    long a[4];

    va_start(arguments, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    return change_process(option, a);
}

/* A filter with a listener succeeds with the listener's descriptor, which is above 0. */
static long filter(const long *a)
{
    bool shuts = (a[0] == SECCOMP_SET_MODE_STRICT || a[0] == SECCOMP_SET_MODE_FILTER) && shut_in();
    long result = next.syscall(SYS_seccomp, a[0], a[1], a[2], a[3], a[4], a[5]);

    if (shuts && result < 0)
        let_out();
    return result;
}

bool confine_syscall(long number, const long *a, long *result)
{
    switch (number) {
    case SYS_prctl:
        *result = change_process((int)a[0], a + 1);
        return true;
    case SYS_seccomp:
        *result = filter(a);
        return true;
    default:
        return false;
    }
}
