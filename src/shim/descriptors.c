/* SPDX-License-Identifier: MIT */
/* Our descriptors are not the program's: what closes or replaces descriptors behaves as if ours were not open. In a vfork child
   the table is a copy, and nothing done there is any business of ours. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "kernel/descriptor.h"
#include "shim/hook.h"

static bool is_ours(int fd)
{
    return UNLIKELY(descriptor_is_ours(fd)) && descriptor_in_own_process();
}

HOOK int close(int fd)
{
    if (is_ours(fd)) {
        errno = EBADF;
        return -1;
    }
    return next.close(fd);
}

/* The program asks for this very number: ours moves away. */
static void make_way(int fd)
{
    if (is_ours(fd))
        descriptor_yield(fd);
}

HOOK int dup2(int from, int to)
{
    if (is_ours(from)) {
        errno = EBADF;
        return -1;
    }
    make_way(to);
    return next.dup2(from, to);
}

HOOK int dup3(int from, int to, int flags)
{
    if (is_ours(from)) {
        errno = EBADF;
        return -1;
    }
    make_way(to);
    return next.dup3(from, to, flags);
}

/* The ranges between ours, one after the other. */
HOOK int close_range(unsigned first, unsigned last, int flags)
{
    int ours;

    if (first <= last && descriptor_next(first, last) >= 0 && descriptor_in_own_process()) {
        while ((ours = descriptor_next(first, last)) >= 0) {
            if ((unsigned)ours > first && next.close_range(first, (unsigned)ours - 1, flags) != 0)
                return -1;
            first = (unsigned)ours + 1;
        }
        if (first > last)
            return 0;
    }
    return next.close_range(first, last, flags);
}

HOOK void closefrom(int first)
{
    if (first < 0)
        first = 0;
    if (close_range((unsigned)first, ~0U, 0) != 0)
        next.closefrom(first);
}
