/* SPDX-License-Identifier: MIT */
/* Mappings that the program registers, and what the shim says of them. */
#ifndef COWSHIM_TESTS_PRELOAD_REGISTERED_H
#define COWSHIM_TESTS_PRELOAD_REGISTERED_H

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "cowshim.h"
#include "story.h"

#define PAGE ((size_t)4096)
#define SIZE (512 * PAGE)

static inline unsigned char *map(unsigned salt)
{
    unsigned char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (salt != 0)
        paint(memory, SIZE, salt);
    return memory;
}

static inline uint64_t shared(const void *memory, size_t size)
{
    struct cowshim_pages pages;

    return cowshim_residency(memory, size, &pages) == 0 ? pages.shared_bytes : UINT64_MAX;
}

static inline uint64_t registered(void)
{
    struct cowshim_figures figures;

    return cowshim_stats(&figures, sizeof figures) == 0 ? figures.registered : UINT64_MAX;
}

/* Two registered mappings, the second a shared copy of the first. */
static inline int make_pair(unsigned char **first, unsigned char **second)
{
    *first = map(5);
    *second = map(0);
    CHECK(cowshim_register(*first, SIZE, 0) == 0 && cowshim_register(*second, SIZE, 0) == 0, "register: %s", strerror(errno));
    CHECK(cowshim_copy(*second, *first, SIZE, COWSHIM_REQUIRE) == (ssize_t)SIZE, "copy: %s", strerror(errno));
    CHECK(shared(*second, SIZE) == SIZE, "the copy is not shared");
    return KEPT;
}

static inline void drop_pair(unsigned char *first, unsigned char *second)
{
    cowshim_unregister(first, SIZE);
    cowshim_unregister(second, SIZE);
    munmap(first, SIZE);
    munmap(second, SIZE);
}

#define PAIR(first, second) \
    unsigned char *first, *second; \
    if (make_pair(&first, &second) != KEPT) \
    return BROKEN

#endif
