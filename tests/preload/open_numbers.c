/* SPDX-License-Identifier: MIT */
/* A program that asks number by number which descriptors are open finds its own and no other, as CPython's test of what a child
   inherits does. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "story.h"

#define SIZE ((size_t)8 << 20)
#define NUMBERS 65536

/* glibc kept it for programs that were linked before 2.33. */
int __fxstat(int version, int fd, struct stat *status);

static int ask_fstat(int fd)
{
    struct stat status;

    return fstat(fd, &status);
}

static int ask_fxstat(int fd)
{
    struct stat status;

    return __fxstat(1, fd, &status);
}

static int ask_flags(int fd)
{
    return fcntl(fd, F_GETFD);
}

static int ask_copy(int fd)
{
    int copy = dup(fd);

    if (copy >= 0)
        close(copy);
    return copy;
}

/* The kernel's own list has ours; without that the story would tell nothing. */
static int listed(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count - 3; /* . and .. and the folder */
}

static int tell(int (*ask)(int fd))
{
    char *from = malloc(SIZE);
    char *to = malloc(SIZE);
    int seen = 0;

    memset(from, 1, SIZE);
    memcpy(to, from, SIZE);
    CHECK(shows_store(to, SIZE), "nothing is shared, and so nothing is open");
    CHECK(listed() > 3, "no descriptor of the library is open");
    for (int fd = 0; fd < NUMBERS; fd++) {
        errno = 0;
        if (ask(fd) >= 0)
            seen++;
        else
            CHECK(errno == EBADF, "descriptor %d: error %d", fd, errno);
    }
    CHECK(seen == 3, "%d descriptors are open, of 3", seen);
    memset(from, 2, SIZE);
    memcpy(to, from, SIZE);
    CHECK(to[SIZE / 2] == 2, "a copy after the search is wrong");
    free(from);
    free(to);
    return KEPT;
}

static int tell_fstat(void)
{
    return tell(ask_fstat);
}

static int tell_fxstat(void)
{
    return tell(ask_fxstat);
}

static int tell_fcntl(void)
{
    return tell(ask_flags);
}

static int tell_dup(void)
{
    return tell(ask_copy);
}

int main(void)
{
    static const struct story stories[] = {
        {"fstat finds no descriptor of the library", tell_fstat},
        {"fstat of old programs finds none", tell_fxstat},
        {"fcntl finds none", tell_fcntl},
        {"dup finds none", tell_dup},
    };

    closefrom(3); /* what the test's own runner left open */
    return tell_all(stories, COUNT_OF(stories));
}
