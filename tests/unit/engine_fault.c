/* SPDX-License-Identifier: MIT */
/* Every system call of ours fails once, and every one from some moment on: contents are right all the same, and nothing leaks. */
#include <string.h>
#include <sys/mman.h>

#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine_unit.h"
#include "kernel/descriptor.h"
#include "base/fault.h"
#include "base/sys.h"

#define PAGES 300
#define BLOCKS 4

struct scene {
    char *block[BLOCKS];
    char *shadow[BLOCKS];
    size_t size;
};

static void write_both(struct scene *scene, int i, size_t from, size_t pages, int value)
{
    memset(scene->block[i] + from * page_size + 5, value, pages * page_size - 10);
    memset(scene->shadow[i] + from * page_size + 5, value, pages * page_size - 10);
}

static void copy_both(struct scene *scene, int to, int from, size_t cut)
{
    unit_copy(scene->block[to] + cut, scene->block[from] + cut, scene->size - 2 * cut);
    memcpy(scene->shadow[to] + cut, scene->shadow[from] + cut, scene->size - 2 * cut);
}

static void fill_both(struct scene *scene, int i, size_t from, size_t size, int value)
{
    if (!engine_fill(scene->block[i] + from, value, size))
        memset(scene->block[i] + from, value, size);
    memset(scene->shadow[i] + from, value, size);
}

static void discard_both(struct scene *scene, int i, size_t from, size_t pages)
{
    discard(scene->block[i] + from * page_size, pages);
    memset(scene->shadow[i] + from * page_size, 0, pages * page_size);
}

/* A reallocation: the contents move to a fresh place. */
static bool move_both(struct scene *scene, int i)
{
    char *fresh = unit_map(scene->size);
    void *raw;

    if (!engine_add(fresh, scene->size, fresh))
        return false;
    engine_move(fresh, scene->block[i], scene->size);
    if (engine_remove(scene->block[i], &raw) && raw != NULL)
        munmap(raw, scene->size);
    scene->block[i] = fresh;
    return true;
}

static void check(const struct scene *scene, unsigned long n, int step)
{
    for (int i = 0; i < BLOCKS; i++)
        for (size_t page = 0; page < PAGES; page++)
            if (memcmp(scene->block[i] + page * page_size, scene->shadow[i] + page * page_size, page_size) != 0)
                UNIT_FAIL("call %lu failed: after step %d block %d is wrong at page %zu", n, step, i, page);
}

static void take_step(struct scene *scene, int step)
{
    switch (step) {
    case 0:
        copy_both(scene, 1, 0, 100);
        break;
    case 1:
        write_both(scene, 1, 20, 30, 1);
        break;
    case 2:
        write_both(scene, 0, 40, 3, 2);
        break;
    case 3:
        copy_both(scene, 2, 1, 0);
        break;
    case 4:
        fill_both(scene, 1, 50 * page_size + 9, 100 * page_size, 3);
        break;
    case 5:
        discard_both(scene, 2, 60, 70);
        break;
    case 6:
        copy_both(scene, 3, 2, 4096);
        break;
    case 7:
        move_both(scene, 2);
        break;
    case 8:
        copy_both(scene, 0, 2, 0);
        break;
    case 9:
        fill_both(scene, 3, 0, scene->size, 0);
        break;
    case 10:
        copy_both(scene, 3, 0, 1);
        break;
    case 11:
        write_both(scene, 0, 0, PAGES, 5);
        break;
    case 12:
        copy_both(scene, 1, 0, 0);
        break;
    default:
        UNIT_FAIL("no step %d", step);
    }
}

#define STEPS 13

static void begin(struct scene *scene)
{
    scene->size = PAGES * page_size;
    for (int i = 0; i < BLOCKS; i++) {
        scene->block[i] = unit_block(PAGES);
        memset(scene->shadow[i], 0, scene->size);
    }
    unit_fill(scene->block[0], 200 * page_size, 1); /* the rest are holes */
    memcpy(scene->shadow[0], scene->block[0], 200 * page_size);
}

/* Frees all blocks; what could not be made anonymous is lost, and the engine must say so. */
static void end(struct scene *scene)
{
    for (int i = 0; i < BLOCKS; i++) {
        void *raw;

        CHECK(engine_remove(scene->block[i], &raw));
        CHECK(raw == NULL || raw == scene->block[i]);
        if (raw != NULL) {
            /* what the allocator gets back shows no store any more */
            CHECK_EQ(madvise(raw, scene->size, MADV_DONTNEED), 0);
            CHECK(unit_all(raw, page_size, 0) && unit_all((char *)raw + 100 * page_size, page_size, 0));
            munmap(raw, scene->size);
        }
    }
}

static unsigned long play(struct scene *scene, unsigned long n, bool sticky)
{
    unsigned long before;

    begin(scene);
    before = sys_count();
    fault_at(n, sticky);
    for (int step = 0; step < STEPS; step++) {
        take_step(scene, step);
        check(scene, n, step);
    }
    if (sticky)
        fault_at(0, false);
    end(scene);
    fault_at(0, false);
    return sys_count() - before;
}

static void fail_each(const char *internal, bool sticky, unsigned stride)
{
    struct scene scene;
    unsigned long calls; /* that the longest run made */
    unsigned long rounds = 0;

    unit_start(internal);
    unit_alone();
    for (int i = 0; i < BLOCKS; i++)
        scene.shadow[i] = unit_map(PAGES * page_size);
    calls = play(&scene, 0, false);
    for (unsigned long n = 1; n <= calls; n += UNIT_ASAN || UNIT_TSAN ? 7 : stride) {
        uint64_t lost = counter_read(COUNT_blocks_lost);
        size_t views = extent_count();
        size_t stores = stores_open();
        size_t blocks = block_count();
        unsigned long made = play(&scene, n, sticky);

        calls = made > calls ? made : calls;
        lost = counter_read(COUNT_blocks_lost) - lost;
        if (lost == 0) {
            CHECK_AT(extent_count() == views, n);
            CHECK_AT(stores_open() <= stores + 1, n); /* an open one that holds nothing yet */
        }
        CHECK_AT(lost <= 1, n);
        CHECK_AT(block_count() <= blocks + lost, n);
        CHECK_AT(made < 10000, n); /* it ends: more calls where others use the processors, too */
        rounds++;
    }
    CHECK(calls > 100);
    CHECK(counter_read(COUNT_copies_shared) > rounds);
    CHECK(descriptor_count() < 16 + 4 * counter_read(COUNT_blocks_lost));
}

TEST(fault, each_call_fails_once_and_contents_stay_right)
{
    fail_each("", false, 3);
}

TEST(fault, each_call_fails_once_with_the_fallbacks)
{
    fail_each("guard-always,uffd-off,scan-off,vma-off,tmpfs-off", false, 3);
}

TEST(fault, each_call_fails_once_with_userfaultfd)
{
    fail_each("guard-always", false, 3);
}

TEST(fault, all_calls_fail_from_some_moment_on)
{
    fail_each("", true, 11);
}

/* Also what lets writers go again: nobody may sleep for ever. */
TEST(fault, all_calls_fail_while_userfaultfd_holds_writers)
{
    fail_each("guard-always", true, 13);
}

TEST(fault, all_calls_fail_while_mprotect_holds_writers)
{
    fail_each("guard-always,uffd-off", true, 13);
}

/* The program has used up its mappings: dropping a view then fails, and the memory must read as zero nevertheless. */
TEST(fault, discarded_memory_reads_as_zero_even_if_the_view_cannot_be_dropped)
{
    char *copy, *block;

    unit_start("");
    block = sealed_block(64, 1, &copy);
    fault_at(1, true);
    discard(copy + 8 * page_size, 16);
    fault_at(0, false);
    CHECK(unit_all(copy + 8 * page_size, 16 * page_size, 0));
    CHECK(memcmp(copy, block, 8 * page_size) == 0);
    CHECK(memcmp(copy + 24 * page_size, block + 24 * page_size, 40 * page_size) == 0);
    CHECK(unit_holds(block, 64 * page_size, 1));
}
