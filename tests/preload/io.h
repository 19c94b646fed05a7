/* SPDX-License-Identifier: MIT */
/* What the programs that move bytes by the kernel share: an array and its copy with pages of both kinds, a message, and channels. */
#ifndef COWSHIM_TESTS_PRELOAD_IO_H
#define COWSHIM_TESTS_PRELOAD_IO_H

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "same.h"

/* Pages of both kinds, and pieces of pages at both ends. */
#define FROM (8 * PAGE + 100)
#define LENGTH (12 * PAGE + 333)

static unsigned char message[LENGTH];
static unsigned char *got; /* shared with children */

/* The array and its copy, each with some pages of its own. */
static inline void begin_mixed(void)
{
    begin();
    paint_part(array, 12 * PAGE, 14 * PAGE, 9);
    paint_part(copy, 10 * PAGE, 11 * PAGE, 8);
}

static inline void hash_both(void)
{
    hash("array", array, 0, SIZE);
    hash("copy", copy, 0, SIZE);
}

static inline int temporary_file(int flags)
{
    char path[500];
    const char *directory = getenv("STORY_DIRECTORY");
    int fd;

    snprintf(path, sizeof path, "%s/io_calls.%d", directory == NULL ? "/tmp" : directory, getpid());
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | flags, 0600);
    unlink(path);
    return fd;
}

static inline int skip(const char *what)
{
    printf("skipped: %s: %s\n", what, strerror(errno));
    exit(0);
}

/* What a call moves bytes to or from: the end that it is given, and the one that we fill or empty. */
enum channel { NOTHING, FILE_OFFSET, PIPE, SOCKET };

struct ends {
    int theirs, ours;
};

static struct ends open_ends(enum channel channel, int into)
{
    int fds[2] = {-1, -1};
    struct ends ends;

    if (channel == FILE_OFFSET && ((fds[0] = memfd_create("file", 0)) < 0 || (fds[1] = dup(fds[0])) < 0))
        exit(99);
    if (channel == PIPE && (pipe(fds) != 0 || fcntl(fds[0], F_SETPIPE_SZ, 1 << 20) < 0))
        exit(99);
    if (channel == SOCKET && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        exit(99);
    ends = (struct ends){fds[into ? 0 : 1], fds[into ? 1 : 0]};
    return ends;
}

static inline long read_all(int fd, unsigned char *memory, size_t size)
{
    size_t done = 0;
    ssize_t count;

    while (done < size && (count = read(fd, memory + done, size - done)) > 0)
        done += (size_t)count;
    return (long)done;
}

static inline void io_begin(void)
{
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    paint_part(message, 0, LENGTH, 77);
    got = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED)
        exit(99);
}

#endif
