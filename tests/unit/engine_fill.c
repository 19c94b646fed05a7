/* SPDX-License-Identifier: MIT */
/* engine_fill: memset that drops views instead of faulting on them, and skips what is zero already. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/page.h"
#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine/store/extent.h"
#include "kernel/pagemap.h"
#include "unit.h"

#define PAGES 512

static void fill(char *to, int value, size_t size)
{
    if (!engine_fill(to, value, size))
        memset(to, value, size);
}

TEST(fill, zeroing_a_fresh_block_touches_no_page)
{
    char *block;
    size_t size;

    unit_start("");
    block = unit_block(PAGES);
    size = PAGES * page_size;
    CHECK(engine_fill(block, 0, size));
    CHECK_EQ(pagemap_any(PAGES_PRIVATE, (uintptr_t)block, (uintptr_t)block + size), 0);
    CHECK_EQ(counter_read(COUNT_zero_skipped), size);
}

TEST(fill, zeroing_clears_what_was_written_and_only_the_range)
{
    char *block;
    size_t from = 100, size;

    unit_start("");
    block = unit_block(PAGES);
    size = PAGES * page_size - 300;
    memset(block + 50 * page_size, 1, 60 * page_size);
    memset(block, 2, page_size);
    memset(block + (PAGES - 1) * page_size, 3, page_size);
    fill(block + from, 0, size);
    CHECK(unit_all(block, from, 2));
    CHECK(unit_all(block + from, size, 0));
    CHECK(unit_all(block + from + size, PAGES * page_size - from - size, 3));
}

TEST(fill, whole_views_are_dropped_and_the_copy_keeps_its_bytes)
{
    char *a, *b;
    size_t size;

    unit_start("");
    a = unit_block(PAGES);
    b = unit_block(PAGES);
    size = PAGES * page_size;
    unit_fill(a, size, 1);
    CHECK(unit_copy(b, a, size));
    fill(b + 10, 7, size - 20);
    CHECK(unit_all(b + 10, size - 20, 7));
    CHECK(unit_holds(a, size, 1));
    CHECK(b[9] == a[9] && b[size - 5] == a[size - 5]);
    CHECK_EQ(counter_read(COUNT_views_dropped), size - 2 * page_size);
    fill(a, 0, size);
    CHECK(unit_all(a, size, 0));
    unit_remove(a);
    unit_remove(b);
    CHECK_EQ(extent_count(), 0);
}

TEST(fill, a_block_that_showed_nothing_when_it_was_filled_before_is_looked_at_again_once_it_does)
{
    char *a, *b, *other;
    size_t size;

    unit_start("");
    a = unit_block(PAGES);
    b = unit_block(PAGES);
    other = unit_block(PAGES);
    size = PAGES * page_size;
    unit_fill(a, size, 1);
    CHECK(unit_copy(other, a, size)); /* so that there are extents at all */
    for (int i = 0; i < 3; i++)
        fill(b, 7, size);
    CHECK_EQ(counter_read(COUNT_views_dropped), 0);
    CHECK(unit_copy(b, a, size));
    fill(b, 8, size);
    CHECK_EQ(counter_read(COUNT_views_dropped), size);
    CHECK(unit_all(b, size, 8) && unit_holds(a, size, 1) && unit_holds(other, size, 1));
}

/* The program mapped a file into its own block (a ring buffer, say): those pages are not zero, though they are not private. */
TEST(fill, pages_that_the_program_mapped_into_a_block_are_zeroed_too)
{
    int fd = memfd_create("unit", 0);
    char *block;
    size_t size;

    unit_start("");
    block = unit_block(PAGES);
    size = PAGES * page_size;
    unit_fill(block, page_size, 4);
    CHECK_EQ(pwrite(fd, block, page_size, 0), (ssize_t)page_size);
    memset(block, 0, page_size);
    CHECK_EQ(madvise(block, page_size, MADV_DONTNEED), 0);
    CHECK(mmap(block + 100 * page_size, page_size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED, fd, 0) != MAP_FAILED);
    engine_memory_call(block + 100 * page_size, page_size, MEMORY_GONE); /* as the shim's mmap() tells it */
    CHECK(unit_holds(block + 100 * page_size, page_size, 4));
    fill(block, 0, size);
    CHECK(unit_all(block, size, 0));
}

struct race {
    char *source, *target;
    size_t size;
    _Atomic bool go, stop;
};

static void *copy_for_ever(void *argument)
{
    struct race *race = argument;

    while (!race->stop) {
        while (!race->go && !race->stop)
            sched_yield();
        engine_copy(race->target, race->source, race->size, NULL);
        race->go = false;
    }
    return NULL;
}

/* Page 0 of the source is a hole, so that the fill looks for holes; the copy seals pages meanwhile, and they are not zero. */
TEST(fill, zeroing_a_block_that_is_being_copied_loses_nothing)
{
    struct race race = {.size = 4096 * page_size};
    pthread_t thread;
    int rounds = UNIT_TSAN || UNIT_ASAN ? 20 : 60;

    unit_start("");
    race.source = unit_block(4096);
    race.target = unit_block(4096);
    pthread_create(&thread, NULL, copy_for_ever, &race);
    for (int round = 0; round < rounds; round++) {
        engine_memory_call(race.source, race.size, MEMORY_ZERO);
        madvise(race.source, race.size, MADV_DONTNEED);
        memset(race.source + page_size, 1, race.size - page_size);
        race.go = true;
        for (volatile int i = (int)(unit_random() % 100000); i > 0; i--)
            ;
        fill(race.source, 0, race.size);
        while (race.go)
            sched_yield();
        CHECK_AT(unit_all(race.source, race.size, 0), round);
    }
    race.stop = true;
    pthread_join(thread, NULL);
}
