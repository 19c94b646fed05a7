/* SPDX-License-Identifier: MIT */
/* What the programs of this folder share. Each is a list of stories: a promise, and a function that returns 0 when it was kept.
   run.sh gives every story a line of its own; lines that begin with # say what went wrong. */
#ifndef COWSHIM_TESTS_PRELOAD_STORY_H
#define COWSHIM_TESTS_PRELOAD_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define KEPT 0
#define BROKEN 1
#define SKIPPED 77 /* after a line that says why */

struct story {
    const char *promise;
    int (*tell)(void);
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

/* Ends a story whose promise is broken. */
#define CHECK(condition, ...) \
    do { \
        if (!(condition)) { \
            printf("# line %d: ", __LINE__); \
            printf(__VA_ARGS__); \
            printf("\n"); \
            return BROKEN; \
        } \
    } while (0)

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

/* Bytes that differ from place to place, from page to page and from salt to salt; eight at a time, for it is done a lot. */
typedef uint64_t __attribute__((may_alias, aligned(1))) story_word;

static inline uint64_t pattern_word(size_t index, unsigned salt)
{
    return (index + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ salt * UINT64_C(0x0101010101010101);
}

static inline unsigned char pattern(size_t at, unsigned salt)
{
    return (unsigned char)(pattern_word(at / 8, salt) >> at % 8 * 8);
}

static inline void paint(unsigned char *block, size_t size, unsigned salt)
{
    size_t words = size / 8;

    for (size_t i = 0; i < words; i++)
        ((story_word *)block)[i] = pattern_word(i, salt);
    for (size_t i = words * 8; i < size; i++)
        block[i] = pattern(i, salt);
}

/* The first byte of the range that is not the pattern's byte at the same distance from origin, or SIZE_MAX. */
static inline size_t first_wrong(const unsigned char *block, size_t size, size_t origin, unsigned salt)
{
    for (size_t i = 0; i < size; i++) {
        size_t at = origin + i;

        if (at % 8 == 0 && size - i >= 8 && *(const story_word *)(block + i) == pattern_word(at / 8, salt))
            i += 7;
        else if (block[i] != pattern(at, salt))
            return i;
    }
    return SIZE_MAX;
}

static inline bool holds(const unsigned char *memory, size_t size, size_t origin, unsigned salt)
{
    return first_wrong(memory, size, origin, salt) == SIZE_MAX;
}

static inline bool zero(const unsigned char *memory, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (memory[i] != 0)
            return false;
    return true;
}

/* Whether a file is mapped somewhere in the range: in memory from malloc only the shim does that. */
static inline int shows_store(const void *start, size_t size)
{
    char line[512];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to, inode = 0;

        if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &from, &to, &inode) == 3 && inode != 0 &&
            from < (uintptr_t)start + size && to > (uintptr_t)start)
            found = 1;
    }
    if (maps != NULL)
        fclose(maps);
    return found;
}

#endif
