/* SPDX-License-Identifier: MIT */
/* What the programs that same.sh runs share: an array, its copy and a third of that size, what is told of them, and cases, each a
   process of its own, so that one that ends by a signal, as it may, is told of as well. */
#ifndef COWSHIM_TESTS_PRELOAD_SAME_H
#define COWSHIM_TESTS_PRELOAD_SAME_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/pattern.h"

#define PAGE ((size_t)4096)
#define PAGES 64
#define SIZE (PAGES * PAGE)
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static unsigned char *array, *copy, *third;

static inline unsigned char *fresh(void)
{
    unsigned char *memory = aligned_alloc(PAGE, SIZE);

    if (memory == NULL)
        exit(99);
    return memory;
}

static inline void begin(void)
{
    array = fresh();
    copy = fresh();
    third = fresh();
    paint_part(array, 0, SIZE, 1);
    memcpy(copy, array, SIZE);
}

static inline void hash(const char *name, const unsigned char *memory, size_t from, size_t to)
{
    uint64_t sum = 14695981039346656037u;

    for (size_t i = from; i < to; i++)
        sum = (sum ^ memory[i]) * 1099511628211u;
    printf("  %s %zu-%zu: %016llx\n", name, from / PAGE, to / PAGE, (unsigned long long)sum);
}

static inline void report(const char *name, long result)
{
    printf("  %s: %ld%s%s\n", name, result < 0 ? -1 : result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : "");
}

static inline long field(const char *file, const char *name)
{
    char line[256];
    long value = -1;
    FILE *status = fopen(file, "r");

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    if (status != NULL)
        fclose(status);
    return value;
}

/* Copies go on: out of it, into it, and written. */
static inline void copies_go_on(void)
{
    memcpy(third, copy, SIZE);
    hash("third", third, 0, SIZE);
    paint_part(copy, 20 * PAGE, 21 * PAGE, 3);
    hash("third", third, 0, SIZE);
    memcpy(copy, array, SIZE);
    hash("copy", copy, 0, SIZE);
    memcpy(array, third, SIZE);
    hash("array", array, 0, SIZE);
    paint_part(array, 0, SIZE, 5);
    hash("copy", copy, 0, SIZE);
    hash("third", third, 0, SIZE);
    free(array);
    hash("copy", copy, 0, SIZE);
    free(copy);
    free(third);
}

static int which_case;

/* True in the process that is to play the next case. */
static inline int next_case(const char *name, const char *detail)
{
    int status;
    pid_t pid;

    which_case++;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        printf("%d. %s %s\n", which_case, name, detail);
        return 1;
    }
    waitpid(pid, &status, 0);
    printf("  ended: %#x\n", (unsigned)status);
    return 0;
}

#define CASE(name, detail, play) \
    do { \
        if (next_case(name, detail)) { \
            play; \
            exit(0); \
        } \
    } while (0)

#endif
