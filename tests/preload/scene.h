/* SPDX-License-Identifier: MIT */
/* Arrays, each with a shadow that the shim cannot see (static memory, changed by loops), and what a program does with large arrays, to
   both. The program's own calls must keep errno. */
#ifndef COWSHIM_TESTS_PRELOAD_SCENE_H
#define COWSHIM_TESTS_PRELOAD_SCENE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cowshim.h"

#define PAGE ((size_t)4096)
#define SMALL (24 * PAGE)
#define GROWN (40 * PAGE)
#define LARGE ((size_t)9 << 20) /* large enough for a store on huge pages */
#define ARRAYS 5
#define SENTINEL 4711

struct array {
    unsigned char *memory;
    unsigned char *shadow;
    size_t size;
};

static unsigned char shadows[ARRAYS][LARGE] __attribute__((aligned(4096)));
static struct array arrays[ARRAYS];
static const char *step = "the start";
static int in_child;
static int status_without_memory = 1;

/* printf would allocate, and its buffer would be flushed twice. */
static inline void end_with(int status, const char *what, int which, size_t at)
{
    char line[200];
    int length = snprintf(line, sizeof line, "# %s: array %d, at %zu: %s%s\n", step, which, at, what, in_child ? " (child)" : "");

    _exit(write(1, line, (size_t)length) == length ? status : 2);
}

static inline void fail(const char *what, int which, size_t at)
{
    end_with(1, what, which, at);
}

static inline void check(int which)
{
    const struct array *array = &arrays[which];
    const unsigned long *have = (const void *)array->memory;
    const unsigned long *want = (const void *)array->shadow;

    for (size_t i = 0; i < array->size / sizeof *have; i++)
        if (have[i] != want[i])
            fail("wrong byte", which, i * sizeof *have);
}

static inline void check_all(void)
{
    for (int i = 0; i < ARRAYS; i++)
        if (arrays[i].memory != NULL)
            check(i);
}

/* Every call of the program's is made with this value in errno, and must leave it: all of them succeed. */
static inline void expect_errno(void)
{
    if (errno != SENTINEL)
        fail("errno was changed", 0, (size_t)errno);
}

static inline void make(int which, size_t size, int zeroed)
{
    struct array *array = &arrays[which];

    errno = SENTINEL;
    array->memory = zeroed ? calloc(1, size) : malloc(size);
    if (array->memory == NULL)
        end_with(status_without_memory, "no memory", which, size);
    expect_errno();
    array->shadow = shadows[which];
    array->size = size;
    for (size_t i = 0; i < size; i++)
        array->shadow[i] = zeroed ? 0 : array->memory[i];
}

static inline void end(int which)
{
    errno = SENTINEL;
    free(arrays[which].memory);
    expect_errno();
    arrays[which].memory = NULL;
}

/* Writes that nothing intercepts: one word every so many bytes. */
static inline void scribble(int which, size_t from, size_t to, size_t stride, unsigned char value)
{
    for (size_t at = from; at < to; at += stride)
        for (size_t i = at; i < at + 8; i++)
            arrays[which].memory[i] = arrays[which].shadow[i] = (unsigned char)(value + i);
}

static inline void write_all(int which, unsigned char value)
{
    unsigned long *memory = (void *)arrays[which].memory;
    unsigned long *shadow = (void *)arrays[which].shadow;

    for (size_t i = 0; i < arrays[which].size / sizeof *memory; i++)
        memory[i] = shadow[i] = i * 0x9e3779b97f4a7c15ul + value;
}

static inline void shadow_copy(unsigned char *to, const unsigned char *from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = from[i];
}

static inline void copy(int to, size_t to_at, int from, size_t from_at, size_t size)
{
    static unsigned long turn;

    errno = SENTINEL;
    if (turn++ % 2 == 0)
        memcpy(arrays[to].memory + to_at, arrays[from].memory + from_at, size);
    else
        memmove(arrays[to].memory + to_at, arrays[from].memory + from_at, size);
    expect_errno();
    shadow_copy(arrays[to].shadow + to_at, arrays[from].shadow + from_at, size);
}

static inline void fill(int which, size_t from, size_t to, unsigned char value)
{
    errno = SENTINEL;
    memset(arrays[which].memory + from, value, to - from);
    expect_errno();
    for (size_t i = from; i < to; i++)
        arrays[which].shadow[i] = value;
}

static inline void resize(int which, size_t size)
{
    struct array *array = &arrays[which];
    size_t old = array->size;

    errno = SENTINEL;
    array->memory = realloc(array->memory, size);
    if (array->memory == NULL)
        end_with(status_without_memory, "no memory for realloc", which, size);
    expect_errno();
    for (size_t i = old; i < size; i++)
        array->shadow[i] = array->memory[i];
    array->size = size;
}

/* The whole pages of [from, to), wherever the array begins: natively that is not on a page. */
static inline unsigned char *pages_of(int which, size_t *from, size_t *to)
{
    size_t before = -(size_t)arrays[which].memory & (PAGE - 1);

    *from += before;
    *to -= before == 0 ? 0 : PAGE - before;
    return arrays[which].memory + *from;
}

static inline void discard(int which, size_t from, size_t to)
{
    unsigned char *start = pages_of(which, &from, &to);

    errno = SENTINEL;
    if (madvise(start, to - from, MADV_DONTNEED) != 0)
        fail("MADV_DONTNEED", which, (size_t)errno);
    expect_errno();
    for (size_t i = from; i < to; i++)
        arrays[which].shadow[i] = 0;
}

/* cowshim_diff finds what the shadows tell: it never fails, whatever fails below it. */
static inline void compare(int a, int b)
{
    const size_t head = PAGE - (uintptr_t)arrays[a].memory % PAGE;
    ssize_t differs = 0;

    for (size_t from = 0, to = head; from < arrays[a].size; from = to, to += PAGE) {
        size_t i = from;

        to = to < arrays[a].size ? to : arrays[a].size;
        while (i < to && arrays[a].shadow[i] == arrays[b].shadow[i])
            i++;
        differs += i < to ? (ssize_t)(to - from) : 0;
    }
    errno = SENTINEL;
    if (cowshim_diff(arrays[a].memory, arrays[b].memory, arrays[a].size, 0, NULL, NULL) != differs)
        fail("a wrong number of bytes differs", a, (size_t)differs);
    expect_errno();
}

#endif
