/* SPDX-License-Identifier: MIT */
/* Memory and byte loops that the shim cannot see: raw system calls, and loops that the compiler may not turn into memcpy (built
   with -fno-builtin -fno-tree-loop-distribute-patterns). */
#ifndef COWSHIM_TESTS_ORACLE_H
#define COWSHIM_TESTS_ORACLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline unsigned char *oracle_map(size_t size)
{
    long got = syscall(SYS_mmap, 0L, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1L, 0L);

    return got == -1 ? NULL : (unsigned char *)got;
}

static inline void oracle_unmap(void *start, size_t size)
{
    syscall(SYS_munmap, start, size);
}

/* As memmove. */
static inline void oracle_move(unsigned char *to, const unsigned char *from, size_t size)
{
    size_t i = 0;

    if ((uintptr_t)to - (uintptr_t)from >= size) {
        if ((((uintptr_t)to | (uintptr_t)from) & 7) == 0)
            for (; i + 8 <= size; i += 8)
                *(volatile uint64_t *)(void *)(to + i) = *(const uint64_t *)(const void *)(from + i);
        for (; i < size; i++)
            *(volatile unsigned char *)(to + i) = from[i];
    } else {
        for (i = size; i > 0; i--)
            *(volatile unsigned char *)(to + i - 1) = from[i - 1];
    }
}

static inline void oracle_fill(unsigned char *to, unsigned char value, size_t size)
{
    uint64_t word = value * UINT64_C(0x0101010101010101);
    size_t i = 0;

    for (; i < size && ((uintptr_t)(to + i) & 7) != 0; i++)
        *(volatile unsigned char *)(to + i) = value;
    for (; i + 8 <= size; i += 8)
        *(volatile uint64_t *)(void *)(to + i) = word;
    for (; i < size; i++)
        *(volatile unsigned char *)(to + i) = value;
}

/* The first offset where they differ, or size. */
static inline size_t oracle_differ(const unsigned char *a, const unsigned char *b, size_t size)
{
    size_t i = 0;

    if ((((uintptr_t)a | (uintptr_t)b) & 7) == 0)
        while (i + 8 <= size && *(const volatile uint64_t *)(const void *)(a + i) == *(const uint64_t *)(const void *)(b + i))
            i += 8;
    while (i < size && *(const volatile unsigned char *)(a + i) == b[i])
        i++;
    return i;
}

/* splitmix64 */
static inline uint64_t oracle_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
