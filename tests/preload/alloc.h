/* SPDX-License-Identifier: MIT */
/* Sizes on both sides of COWSHIM_MIN_SIZE, and what the programs that call malloc and its kin know of where they run. */
#ifndef COWSHIM_TESTS_PRELOAD_ALLOC_H
#define COWSHIM_TESTS_PRELOAD_ALLOC_H

#include <string.h>

#include "story.h"

#define THRESHOLD ((size_t)1 << 20)
#define SMALL (THRESHOLD / 2)
#define BIG (THRESHOLD * 2 + 123)
#define HUGE_BLOCK ((size_t)33 << 20) /* starts on 2 MiB */

/* Over another allocator errno and untouched zeros are its own affair; under one (AHEAD in the table) its blocks are not ours. */
static bool over_glibc, sharing;

static const size_t sizes[] = {0, 1, 4096, SMALL, THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, BIG, HUGE_BLOCK + 1};

/* A painted block and its copy, which show one store. */
static inline unsigned char *copy_of(unsigned char *original, size_t size, unsigned salt)
{
    unsigned char *copy = malloc(size);

    paint(original, size, salt);
    memcpy(copy, original, size);
    return copy;
}

/* The program's arguments: [other|ahead], what stands below or above us. */
static inline void learn_allocator(int count, char **words)
{
    over_glibc = count < 2;
    sharing = over_glibc || strcmp(words[1], "other") == 0;
}

#endif
