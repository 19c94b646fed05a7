/* SPDX-License-Identifier: MIT */
/* The contents that tests give to memory, and how they tell them: bytes that differ from place to place, from page to page and from
   salt to salt; eight at a time, for it is done a lot. */
#ifndef COWSHIM_TESTS_PATTERN_H
#define COWSHIM_TESTS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t __attribute__((may_alias, aligned(1))) pattern_words;

static inline uint64_t pattern_word(size_t index, unsigned salt)
{
    return (index + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ salt * UINT64_C(0x0101010101010101);
}

static inline unsigned char pattern(size_t at, unsigned salt)
{
    return (unsigned char)(pattern_word(at / 8, salt) >> at % 8 * 8);
}

/* The bytes [from, to) of memory that is all of the pattern. */
static inline void paint_part(unsigned char *memory, size_t from, size_t to, unsigned salt)
{
    for (; from < to && from % 8 != 0; from++)
        memory[from] = pattern(from, salt);
    for (; from + 8 <= to; from += 8)
        *(pattern_words *)(memory + from) = pattern_word(from / 8, salt);
    for (; from < to; from++)
        memory[from] = pattern(from, salt);
}

static inline void paint(unsigned char *memory, size_t size, unsigned salt)
{
    paint_part(memory, 0, size, salt);
}

/* The first byte of the range that is not the pattern's byte at the same distance from origin, or SIZE_MAX. */
static inline size_t first_wrong(const unsigned char *memory, size_t size, size_t origin, unsigned salt)
{
    for (size_t i = 0; i < size; i++) {
        size_t at = origin + i;

        if (at % 8 == 0 && size - i >= 8 && *(const pattern_words *)(memory + i) == pattern_word(at / 8, salt))
            i += 7;
        else if (memory[i] != pattern(at, salt))
            return i;
    }
    return SIZE_MAX;
}

static inline bool holds(const unsigned char *memory, size_t size, size_t origin, unsigned salt)
{
    return first_wrong(memory, size, origin, salt) == SIZE_MAX;
}

static inline bool all_are(const unsigned char *memory, size_t size, unsigned char value)
{
    for (size_t i = 0; i < size; i++)
        if (memory[i] != value)
            return false;
    return true;
}

static inline bool zero(const unsigned char *memory, size_t size)
{
    return all_are(memory, size, 0);
}

#endif
