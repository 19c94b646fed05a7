/* SPDX-License-Identifier: MIT */
/* Our descriptors are not the program's: what closes, replaces or looks for descriptors behaves as if ours were not open. In a
   vfork child the table of descriptors is a copy, so that whatever happens to ours there does no harm. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"
#include "kernel/descriptor.h"
#include "kernel/holders.h"
#include "shim/hook.h"

static bool is_ours(int fd)
{
    return UNLIKELY(descriptor_is_ours(fd));
}

static int not_open(void)
{
    errno = EBADF;
    return -1;
}

/* Afterwards: a look of another thread's meanwhile would still find what goes, and take it for what comes. */
static int closed(int result)
{
    holders_change();
    return result;
}

HOOK int close(int fd)
{
    return closed(is_ours(fd) ? not_open() : next.close(fd));
}

/* What is spliced into a pipe, or sent without being copied, is read later, perhaps after its memory was given back. */
HOOK ssize_t vmsplice(int pipe, const struct iovec *ranges, size_t count, unsigned flags)
{
    holders_note(HOLDER_READER);
    return next.vmsplice(pipe, ranges, count, flags);
}

HOOK int setsockopt(int socket, int level, int name, const void *value, socklen_t size)
{
    if (level == SOL_SOCKET && name == SO_ZEROCOPY)
        holders_note(HOLDER_READER);
    return next.setsockopt(socket, level, name, value, size);
}

/* libc closes the descriptors of these without asking us. They are none of ours. */
HOOK int fclose(FILE *file)
{
    return closed(next.fclose(file));
}

HOOK int pclose(FILE *file)
{
    return closed(next.pclose(file));
}

HOOK int closedir(DIR *directory)
{
    return closed(next.closedir(directory));
}

/* Not all of what makes a file one that writes to memory by itself gives it a new number. */
static void note_change(int command, long argument)
{
    if (command == F_SETFL && (argument & O_DIRECT) != 0)
        holders_note(HOLDER_RING);
    else if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        holders_change();
}

/* The questions by which programs find out which numbers are open. */
HOOK int fcntl(int fd, int command, ...)
{
    va_list arguments;
    long argument;

    va_start(arguments, command);
    argument = va_arg(arguments, long);
    va_end(arguments);
    note_change(command, argument);
    return is_ours(fd) ? not_open() : next.fcntl(fd, command, argument);
}

HOOK int fcntl64(int fd, int command, ...) __attribute__((alias("fcntl")));

HOOK int fstat(int fd, struct stat *status)
{
    return is_ours(fd) ? not_open() : next.fstat(fd, status);
}

HOOK int fstat64(int fd, struct stat64 *status)
{
    return fstat(fd, (struct stat *)status);
}

/* What fstat was before glibc 2.33. */
HOOK int __fxstat(int version, int fd, struct stat *status)
{
    return is_ours(fd) ? not_open() : next.__fxstat(version, fd, status);
}

HOOK int __fxstat64(int version, int fd, struct stat64 *status)
{
    return __fxstat(version, fd, (struct stat *)status);
}

HOOK int dup(int fd)
{
    return is_ours(fd) ? not_open() : next.dup(fd);
}

/* Whether `from` may be duplicated to the number `to`, for which the program asks. Nobody may be inside of us meanwhile: one of ours moves
   away, and one that is just being opened is at a low number for a moment, which nobody knows yet. In a signal handler that interrupted us
   we cannot wait; there only what is known to be ours is refused. */
static bool make_way(int from, int to, bool *paused)
{
    *paused = false;
    if (is_ours(from)) {
        not_open();
        return false;
    }
    holders_change();
    *paused = !engine_confined() && descriptor_in_own_process() && engine_pause();
    if (!is_ours(to))
        return true;
    if (*paused)
        descriptor_yield(to);
    else
        errno = EBUSY; /* dup2(2) knows it, as a race with open() */
    return *paused;
}

static int resumed(bool paused, int result)
{
    if (paused)
        engine_resume();
    return result;
}

HOOK int dup2(int from, int to)
{
    bool paused;
    bool free_now = make_way(from, to, &paused);

    return resumed(paused, free_now ? next.dup2(from, to) : -1);
}

HOOK int dup3(int from, int to, int flags)
{
    bool paused;
    bool free_now = make_way(from, to, &paused);

    return resumed(paused, free_now ? next.dup3(from, to, flags) : -1);
}

/* The ranges between ours, one after the other. */
HOOK int close_range(unsigned first, unsigned last, int flags)
{
    int ours;

    holders_change();
    if (first <= last && descriptor_next(first, last) >= 0) {
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
