/* SPDX-License-Identifier: MIT */
/* Arrays that some threads copy while others use them. */
#ifndef COWSHIM_TESTS_PRELOAD_RACE_H
#define COWSHIM_TESTS_PRELOAD_RACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "story.h"

#define PAGE ((size_t)4096)
#define PAGES ((size_t)1024)
#define SIZE (PAGES * PAGE)

static _Atomic bool stop; /* for the other threads */
static bool sharing;      /* not where no guard can be had */

static inline uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

#endif
