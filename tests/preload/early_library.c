/* SPDX-License-Identifier: MIT */
/* Preloaded beside the shim, or loaded with dlopen: allocates and copies in its constructor, which may run before the shim's own,
   and counts calls of malloc and calloc on their way, looking the next ones up with dlsym as such libraries do. */
#include <dlfcn.h>
#include <malloc.h>
#include <string.h>

#include "early_library.h"
#include "story.h"

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *malloc(size_t size);
EXPORTED void *calloc(size_t count, size_t size);
EXPORTED extern struct early early_blocks;

struct early early_blocks;

EXPORTED void *malloc(size_t size)
{
    static void *(*next)(size_t);

    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "malloc");
    early_blocks.calls++;
    return next(size);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    static void *(*next)(size_t, size_t);

    if (next == NULL)
        *(void **)&next = dlsym(RTLD_NEXT, "calloc");
    early_blocks.calls++;
    return next(count, size);
}

static int grow_and_cut(void)
{
    unsigned char *block = malloc(100);

    paint(block, 100, 1);
    block = realloc(block, EARLY_SIZE);
    CHECK(first_wrong(block, 100, 0, 1) == SIZE_MAX, "realloc lost bytes while growing");
    block = realloc(block, 50);
    CHECK(first_wrong(block, 50, 0, 1) == SIZE_MAX, "realloc lost bytes while shrinking");
    free(block);
    return KEPT;
}

static int other_calls(void)
{
    void *aligned = NULL;
    unsigned char *zeros = calloc(EARLY_SIZE, 1);

    CHECK(posix_memalign(&aligned, 8192, EARLY_SIZE) == 0 && (uintptr_t)aligned % 8192 == 0, "posix_memalign gave %p", aligned);
    for (size_t i = 0; i < EARLY_SIZE; i++)
        CHECK(zeros[i] == 0, "byte %zu of calloc is %d", i, zeros[i]);
    CHECK(malloc_usable_size(zeros) >= EARLY_SIZE, "%zu bytes are usable", malloc_usable_size(zeros));
    memset(aligned, 7, EARLY_SIZE);
    memmove(zeros, aligned, EARLY_SIZE);
    CHECK(memcmp(zeros, aligned, EARLY_SIZE) == 0, "memmove copied something else");
    free(aligned);
    free(zeros);
    free(NULL);
    return KEPT;
}

/* These live on: the program checks, copies and frees them. */
static int leave_blocks(void)
{
    early_blocks.small = malloc(EARLY_SMALL);
    early_blocks.original = malloc(EARLY_SIZE);
    early_blocks.copy = malloc(EARLY_SIZE);
    CHECK(early_blocks.small != NULL && early_blocks.original != NULL && early_blocks.copy != NULL, "no memory");
    paint(early_blocks.small, EARLY_SMALL, 2);
    paint(early_blocks.original, EARLY_SIZE, 3);
    CHECK(memcpy(early_blocks.copy, early_blocks.original, EARLY_SIZE) == early_blocks.copy, "memcpy returns something else");
    return KEPT;
}

static __attribute__((constructor)) void begin(void)
{
    early_blocks.broken = grow_and_cut() | other_calls() | leave_blocks();
}
