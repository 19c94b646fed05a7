/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

static uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
    return value ^ value >> 31;
}

static uint64_t first_word(size_t page, uint64_t stamp)
{
    return mix(page + (stamp << 40) + 1);
}

struct array array_make(size_t size, bool huge)
{
    struct array array = {malloc(size), size / PAGE, huge};
    uintptr_t start = ((uintptr_t)array.words + PAGE - 1) & ~(PAGE - 1);

    if (array.words == NULL)
        fail("out of memory");
    if (huge)
        madvise((void *)start, size - (start - (uintptr_t)array.words), MADV_HUGEPAGE);
    return array;
}

struct array array_copy(const struct array *from)
{
    struct array copy = array_make(from->pages * PAGE, from->huge);

    memcpy(copy.words, from->words, from->pages * PAGE);
    return copy;
}

void array_drop(struct array *array)
{
    free(array->words);
    array->words = NULL;
}

void array_write_page(struct array *array, size_t page, uint64_t stamp)
{
    uint64_t *words = array->words + page * WORDS;
    uint64_t first = first_word(page, stamp);

    for (size_t i = 0; i < WORDS; i++)
        words[i] = first + i;
}

void array_write(struct array *array, uint64_t stamp)
{
    for (size_t page = 0; page < array->pages; page++)
        array_write_page(array, page, stamp);
}

void array_check_page(const struct array *array, size_t page, uint64_t stamp)
{
    const uint64_t *words = array->words + page * WORDS;
    uint64_t first = first_word(page, stamp);
    uint64_t wrong = 0;

    for (size_t i = 0; i < WORDS; i++)
        wrong |= words[i] ^ (first + i);
    if (wrong != 0)
        fail("wrong contents");
}

void array_check(const struct array *array, uint64_t stamp)
{
    for (size_t page = 0; page < array->pages; page++)
        array_check_page(array, page, stamp);
}

uint64_t array_read_pages(const struct array *array)
{
    const volatile uint64_t *words = array->words;
    uint64_t sum = 0;

    for (size_t page = 0; page < array->pages; page++)
        sum += words[page * WORDS];
    return sum;
}

static size_t plan_page(const struct plan *plan, unsigned generation, size_t i)
{
    if (plan->scattered)
        return mix((uint64_t)generation << 32 | i) % plan->pages;
    return (generation * plan->count + i) % plan->pages;
}

void plan_apply(const struct plan *plan, unsigned generation, struct array *array)
{
    for (size_t i = 0; i < plan->count; i++)
        array_write_page(array, plan_page(plan, generation, i), generation);
}

void plan_stamp(const struct plan *plan, unsigned generation, uint16_t *stamps)
{
    for (size_t i = 0; i < plan->count; i++)
        stamps[plan_page(plan, generation, i)] = (uint16_t)generation;
}

void plan_check(const struct plan *plan, const uint16_t *stamps, const struct array *array)
{
    for (size_t page = 0; page < plan->pages; page++)
        array_check_page(array, page, stamps[page]);
}
