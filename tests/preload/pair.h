/* SPDX-License-Identifier: MIT */
/* Two views of one store, with a page of its own in each, for programs that make processes. */
#ifndef COWSHIM_TESTS_PRELOAD_PAIR_H
#define COWSHIM_TESTS_PRELOAD_PAIR_H

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"

#define SIZE ((size_t)4 << 20)
#define CHILD_STACK ((size_t)256 << 10)

static struct pair {
    unsigned char *original, *copy;
} pair;

static inline void make_pair(void)
{
    pair.original = malloc(SIZE);
    pair.copy = malloc(SIZE);
    paint(pair.original, SIZE, 1);
    memcpy(pair.copy, pair.original, SIZE);
    pair.original[4096] ^= 0xff;
    pair.copy[8192] ^= 0xff;
}

static inline void free_pair(void)
{
    free(pair.original);
    free(pair.copy);
}

static inline bool pair_is_right(void)
{
    return pair.original[4096] == (pattern(4096, 1) ^ 0xff) && pair.copy[8192] == (pattern(8192, 1) ^ 0xff) &&
           first_wrong(pair.original, 4096, 0, 1) == SIZE_MAX && first_wrong(pair.copy, 8192, 0, 1) == SIZE_MAX &&
           first_wrong(pair.original + 4097, SIZE - 4097, 4097, 1) == SIZE_MAX &&
           first_wrong(pair.copy + 8193, SIZE - 8193, 8193, 1) == SIZE_MAX;
}

/* All that a process may do with what it has: writes everything, copies, frees, allocates. */
static inline int live_on(unsigned salt)
{
    unsigned char *third = malloc(SIZE);
    int wrong = !pair_is_right();

    memcpy(third, pair.copy, SIZE);
    paint(pair.original, SIZE, salt);
    wrong |= (third[8192] != pair.copy[8192]) << 1;
    paint(pair.copy, SIZE, salt + 1);
    memcpy(third, pair.original, SIZE);
    wrong |= (first_wrong(pair.original, SIZE, 0, salt) != SIZE_MAX) << 2;
    wrong |= (first_wrong(pair.copy, SIZE, 0, salt + 1) != SIZE_MAX) << 3;
    free(pair.original);
    pair.original = realloc(third, SIZE * 2);
    wrong |= (first_wrong(pair.original, SIZE, 0, salt) != SIZE_MAX) << 4;
    return wrong;
}

static inline int end_of(pid_t pid, const char *name)
{
    int status;

    CHECK(pid > 0, "%s: no child: %s", name, strerror(errno));
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "%s: the child ended with status 0x%x", name, (unsigned)status);
    return KEPT;
}

#endif
