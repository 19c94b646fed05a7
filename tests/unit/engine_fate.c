/* SPDX-License-Identifier: MIT */
/* The policy at work: what becomes of copies is found out, and copies of which a part is shared and a part plain hold what they should,
   whatever source and target are. */
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/sys.h"
#include "engine/engine.h"
#include "engine/policy/fate.h"
#include "engine/report/counters.h"
#include "engine_unit.h"
#include "unit_costs.h"

#define PAGES 512
#define PLACE ((const void *)(uintptr_t)0x5000)

static void start(const char *internal)
{
    setenv("COWSHIM_POLICY", "balanced", 1);
    unit_start(internal);
    costs_set(&costs);
}

/* The scene of most tests: a source that was written, and a block to copy it to. */
static void start_with_pair(char **source, char **copy)
{
    start("");
    *source = unit_block(PAGES);
    *copy = unit_block(PAGES);
    unit_fill(*source, PAGES * page_size, 1);
}

/* A copy of which the first `written` pages are written before it is freed. True: some of it was shared. */
static bool live(char *copy, char *source, size_t written, int value)
{
    bool shared = unit_copy_by(copy, source, PAGES * page_size, PLACE);

    CHECK(memcmp(copy, source, PAGES * page_size) == 0);
    memset(copy, value, written * page_size);
    return shared;
}

TEST(fate, a_loop_pays_for_what_it_changes_and_shares_the_rest)
{
    char *source, *copy;

    start_with_pair(&source, &copy);
    for (int i = 0; i < 12; i++)
        CHECK_AT(live(copy, source, PAGES / 4, i), i);
    CHECK_EQ(private_pages(copy, PAGES / 4), PAGES / 4);
    CHECK_EQ(private_pages(copy + PAGES / 4 * page_size, PAGES / 4 * 3), 0);
    CHECK_EQ(private_pages(source, PAGES), 0);
    CHECK(unit_holds(source, PAGES * page_size, 1));
}

TEST(fate, what_is_always_rewritten_is_copied_plainly)
{
    uint64_t sealed;
    char *source, *copy;
    unsigned shared = 0;

    start_with_pair(&source, &copy);
    for (int i = 0; i < 4; i++)
        live(copy, source, PAGES, i);
    sealed = counter_read(COUNT_sealed_bytes);
    for (int i = 0; i < 200; i++)
        shared += live(copy, source, PAGES, i);
    CHECK_AT(shared <= 2, shared);
    CHECK_EQ(counter_read(COUNT_sealed_bytes), sealed);
}

/* Nothing is asked of the kernel for most of them. */
TEST(fate, declined_copies_cost_no_system_call)
{
    unsigned long calls;
    char *source, *copy;

    start_with_pair(&source, &copy);
    for (int i = 0; i < 100; i++)
        live(copy, source, PAGES, i);
    calls = sys_count();
    for (int i = 0; i < 256; i++)
        live(copy, source, PAGES, i);
    CHECK_AT(sys_count() - calls < 256 / 4, sys_count() - calls);
}

/* Buffers that take turns learn from each other that copies of this array are better plain. */
TEST(fate, a_ring_of_buffers_is_soon_asked_about_no_more)
{
    unsigned long calls;
    char *source, *ring[8];

    start_with_pair(&source, &ring[0]);
    for (int i = 1; i < 8; i++)
        ring[i] = unit_block(PAGES);
    for (int i = 0; i < 64; i++)
        live(ring[i % 8], source, PAGES, i);
    calls = sys_count();
    for (int i = 0; i < 256; i++)
        live(ring[i % 8], source, PAGES, i);
    CHECK_AT(sys_count() - calls < 256 / 2, sys_count() - calls);
}

/* What was read of a copy before it was made once more, and nothing had to be mapped for that, costs nothing again. */
TEST(fate, pages_that_were_read_long_ago_are_no_loss)
{
    struct costs dear = costs;
    uint64_t lost;
    char *source, *copy;

    start_with_pair(&source, &copy);
    live(copy, source, 0, 0);
    live(copy, source, 0, 0);
    dear.read = 100000;
    costs_set(&dear);
    lost = counter_read(COUNT_lost_us);
    for (int i = 0; i < 4; i++)
        CHECK_AT(live(copy, source, 0, 0), i);
    CHECK_EQ(counter_read(COUNT_lost_us), lost);
}

TEST(fate, a_part_of_the_source_that_always_changes_is_not_sealed_again)
{
    char *source, *copy;
    uint64_t sealed;

    start_with_pair(&source, &copy);
    for (int i = 0; i < 8; i++) {
        memset(source, i, PAGES / 4 * page_size);
        live(copy, source, 0, 0);
    }
    sealed = counter_read(COUNT_sealed_bytes);
    for (int i = 0; i < 8; i++) {
        memset(source, i, PAGES / 4 * page_size);
        CHECK(live(copy, source, 0, 0));
    }
    CHECK_EQ(counter_read(COUNT_sealed_bytes), sealed);
}

/* Source and target in any state, and a history that shares some slices and not others. */
static void try_mixture(enum state from, enum state to, uint64_t rewritten, const char *internal)
{
    size_t size = PAGES * page_size;
    char *source = unit_block(PAGES), *target = unit_block(PAGES);
    char *from_shadow = unit_map(size), *to_shadow = unit_map(size);

    for (int round = 0; round < 6; round++) {
        if (round == 0 || round == 4) {
            config_choice(policy) = POLICY_MEMORY;
            bring_into(from, source, PAGES, 1 + (unsigned)round, from_shadow);
            bring_into(to, target, PAGES, 7, to_shadow);
            config_choice(policy) = POLICY_BALANCED;
            if (round == 4)
                memcpy(from_shadow, source, size); /* what was there before shows through where nothing was written */
        }
        unit_copy_by(target, source, size, PLACE);
        if (memcmp(target, from_shadow, size) != 0 || memcmp(source, from_shadow, size) != 0)
            UNIT_FAIL("round %d, from state %d to state %d, %s", round, from, to, internal);
        for (unsigned i = 0; i < SLICES; i++)
            if ((rewritten >> (i + (unsigned)round) % SLICES & 1) != 0)
                memset(target + slice_start(PAGES, i) * page_size, round, 3 * page_size);
        if (memcmp(source, from_shadow, size) != 0)
            UNIT_FAIL("writing the copy changed the source");
        for (size_t i = 0; i < PAGES; i += 37) {
            source[i * page_size + 5] = (char)round;
            from_shadow[i * page_size + 5] = (char)round;
        }
    }
    unit_remove(source);
    unit_remove(target);
}

static void try_mixtures(const char *internal)
{
    start(internal);
    for (enum state from = 0; from < STATES; from++)
        for (enum state to = 0; to < STATES; to++) {
            try_mixture(from, to, UINT64_C(0xff00ff0000ff00ff), internal);
            try_mixture(from, to, 0x3f, internal);
        }
    CHECK_EQ(extent_count(), 0);
    CHECK_EQ(stores_open(), 0);
}

TEST(fate, mixtures_of_plain_and_shared_hold_what_they_should)
{
    try_mixtures("");
}

TEST(fate, any_mixture_holds_what_it_should)
{
    try_mixtures("mixture");
}

TEST(fate, mixtures_with_writers_held_off)
{
    try_mixtures("guard-always,mixture");
}

TEST(fate, mixtures_on_an_old_kernel)
{
    try_mixtures("scan-off,vma-off,uffd-off,tmpfs-off,guard-always,mixture");
}

/* A copy that is grown by realloc has a fate, too. */
TEST(fate, a_block_that_moves_is_looked_at_before)
{
    char *source, *copy, *larger;

    start("");
    source = unit_block(PAGES);
    unit_fill(source, PAGES * page_size, 1);
    for (int i = 0; i < 8; i++) {
        copy = unit_block(PAGES);
        larger = unit_block(PAGES + 64);
        CHECK_AT(live(copy, source, PAGES, i) == (i == 0), i);
        engine_move(larger, copy, PAGES * page_size);
        CHECK(unit_all(larger, PAGES * page_size, i));
        unit_remove(copy);
        unit_remove(larger);
    }
}

/* `b = copy(a)`, drop a, go on with b: what is written after the copy was made is written to its source, which is never copied again. */
TEST(fate, a_source_that_is_rewritten_and_freed_teaches_as_well)
{
    unsigned shared = 0;
    char *source, *copy;

    start("");
    source = unit_block(PAGES);
    unit_fill(source, PAGES * page_size, 1);
    for (int i = 0; i < 12; i++) {
        copy = unit_block(PAGES);
        shared += unit_copy_by(copy, source, PAGES * page_size, PLACE);
        for (size_t page = 0; page < PAGES; page++)
            source[page * page_size] ^= 1;
        unit_remove(source);
        source = copy;
    }
    CHECK(unit_holds(source, PAGES * page_size, 1));
    CHECK_AT(shared >= 1 && shared <= 3, shared);
}
