/* SPDX-License-Identifier: MIT */
/* What the programs of this folder share. Each is a list of stories: a promise, and a function that returns 0 when it was kept.
   run.sh gives every story a line of its own; lines that begin with # say what went wrong. */
#ifndef COWSHIM_TESTS_PRELOAD_STORY_H
#define COWSHIM_TESTS_PRELOAD_STORY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/check.h"
#include "tests/support/pattern.h"

#define KEPT 0
#define BROKEN 1
#define SKIPPED 77 /* after a line that says why */

struct story {
    const char *promise;
    int (*tell)(void);
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* CHECK() ends a story whose promise is broken. */
#define CHECK_END return BROKEN

static inline __attribute__((format(printf, 4, 5))) void check_failed(const char *file, int line, const char *condition, const char *format,
                                                                      ...)
{
    va_list arguments;

    (void)file; /* run.sh names the story */
    va_start(arguments, format);
    printf("# line %d: %s:", line, condition);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

static inline int tell_all(const struct story *stories, size_t count)
{
    static const char *const words[] = {"ok", "not ok"};
    int broken = 0;

    for (size_t i = 0; i < count; i++) {
        int result;

        printf("begin %s\n", stories[i].promise);
        fflush(stdout);
        result = stories[i].tell();
        if (result == SKIPPED)
            printf("skip %s\n", stories[i].promise);
        else
            printf("%s %s\n", words[result != KEPT], stories[i].promise);
        fflush(stdout);
        broken |= result == BROKEN;
    }
    return broken;
}

/* Whether a file is mapped somewhere in the range: in memory from malloc only the shim does that. */
static inline int shows_store(const void *start, size_t size)
{
    char line[512];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to, inode = 0;

        if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &from, &to, &inode) == 3 && inode != 0 && from < (uintptr_t)start + size &&
            to > (uintptr_t)start)
            found = 1;
    }
    if (maps != NULL)
        fclose(maps);
    return found;
}

#endif
