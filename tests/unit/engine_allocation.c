/* SPDX-License-Identifier: MIT */
/* What malloc, realloc and free ask of the engine. */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine_unit.h"

#define PAGES 160
#define SIZE (PAGES * page_size)

/* A block's address and the allocator's own pointer are not the same. */
static char *add_with_raw(size_t size, void **raw)
{
    char *memory = unit_map(size + page_size);

    *raw = memory + 16;
    CHECK(engine_add(memory + page_size, size, *raw));
    return memory + page_size;
}

TEST(allocation, a_block_is_known_by_its_start_until_it_is_removed)
{
    struct engine_block found;
    void *raw, *got = NULL;
    char *block;

    unit_start("");
    CHECK(!engine_remove(&found, &got)); /* before the first block nothing is one */
    block = add_with_raw(SIZE - 100, &raw);
    CHECK(engine_look_up(block, &found));
    CHECK(found.raw == raw && found.size == SIZE - 100 && !found.has_views);
    CHECK(!engine_look_up(block + page_size, &found) && !engine_look_up(block - page_size, &found));
    CHECK(!engine_remove(block + page_size, &got));
    CHECK(engine_remove(block, &got) && got == raw);
    CHECK(!engine_remove(block, &got));
    CHECK(!engine_look_up(block, &found));
    CHECK_EQ(block_count(), 0);
}

TEST(allocation, the_allocator_gets_anonymous_memory_back)
{
    struct engine_block found;
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    CHECK(engine_look_up(a, &found) && found.has_views);
    unit_remove(a);
    CHECK_EQ(touched_pages(a, PAGES), 0);
    CHECK(unit_all(a, SIZE, 0));
    unit_fill(a, SIZE, 2);
    CHECK(unit_holds(b, SIZE, 1));
}

TEST(allocation, the_size_says_what_can_be_copied)
{
    struct engine_block found;
    char *a, *b;

    unit_start("");
    a = unit_block(PAGES);
    b = unit_block(PAGES);
    memset(a, 1, SIZE);
    engine_set_size(a, SIZE / 2);
    CHECK(engine_look_up(a, &found) && found.size == SIZE / 2);
    CHECK(!unit_copy(b, a, SIZE));
    CHECK_EQ(reason_copies(REASON_not_source), 1);
    CHECK(unit_copy(b, a, SIZE / 2));
    engine_set_size(a, SIZE);
    CHECK(unit_copy(b, a, SIZE));
    engine_set_size(b, SIZE - 1);
    CHECK(!unit_copy(b, a, SIZE));
    CHECK_EQ(reason_copies(REASON_not_target), 1);
    engine_set_size(a + page_size, 1); /* no block: nothing */
    CHECK(engine_look_up(a, &found) && found.size == SIZE);
}

/* realloc to less, in place: what lies beyond goes, the page in which the new size ends stays. */
TEST(allocation, a_block_cut_short_keeps_its_beginning_and_gives_the_rest_back)
{
    unit_start("");
    for (enum state state = 0; state < STATES; state++)
        for (size_t size = 1; size < SIZE; size += 13 * page_size + 77) {
            char *block = unit_block(PAGES), *shadow = unit_map(SIZE);
            size_t kept = (size + page_size - 1) / page_size;

            bring_into(state, block, PAGES, 1, shadow);
            engine_shrink(block, size);
            CHECK_EQ(block_at(block)->size, size);
            CHECK_EQ(touched_pages(block + kept * page_size, PAGES - kept), 0);
            CHECK(!extent_any(block_at(block), (uintptr_t)block + kept * page_size, (uintptr_t)block + SIZE));
            CHECK_AT(memcmp(block, shadow, size) == 0, size);
            unit_remove(block);
            munmap(shadow, SIZE);
        }
    CHECK_EQ(extent_count(), 0);
    CHECK_EQ(stores_open(), 0);
}

/* The last page of an odd block shows a store with the allocator's bytes in it; after the shrink nothing of that is left. */
TEST(allocation, a_view_that_reaches_beyond_an_odd_size_goes_too)
{
    char *memory, *other;

    unit_start("");
    memory = unit_map(SIZE);
    CHECK(engine_add(memory, SIZE - 1000, memory));
    unit_fill(memory, SIZE, 1);
    other = unit_block(PAGES);
    unit_copy(other, memory, SIZE - 1000);
    engine_shrink(memory, 10 * page_size);
    unit_remove(memory);
    unit_remove(other);
    CHECK_EQ(extent_count(), 0);
    CHECK(unit_all(memory + 10 * page_size, (PAGES - 11) * page_size, 0));
}

TEST(allocation, a_block_without_views_can_be_withdrawn_and_returned_elsewhere)
{
    struct engine_block found;
    struct block *record;
    char *a, *b, *elsewhere;

    unit_start("");
    a = unit_block(PAGES);
    elsewhere = unit_map(2 * SIZE);
    CHECK(engine_withdraw(a + page_size) == NULL);
    record = engine_withdraw(a);
    CHECK(record != NULL && !engine_look_up(a, &found));
    CHECK(engine_withdraw(a) == NULL);
    engine_return(record, elsewhere, 2 * SIZE, elsewhere + 1);
    CHECK(engine_look_up(elsewhere, &found) && found.size == 2 * SIZE && found.raw == elsewhere + 1);
    CHECK(!engine_look_up(a, &found));
    CHECK_EQ(block_count(), 1);
    a = sealed_block(PAGES, 1, &b);
    CHECK(engine_withdraw(a) == NULL); /* its views would be the allocator's to move */
    CHECK(unit_holds(a, SIZE, 1));
}

static void try_move(enum state from, enum state to, size_t size, bool excluded)
{
    char *source = unit_block(PAGES), *target = unit_block(PAGES);
    char *shadow = unit_map(SIZE), *ignored = unit_map(SIZE);
    uint64_t moved = counter_read(COUNT_blocks_moved);

    bring_into(from, source, PAGES, 1, shadow);
    bring_into(to, target, PAGES, 7, ignored);
    if (excluded)
        engine_memory_call(source, page_size, MEMORY_EXCLUDE);
    engine_move(target, source, size);
    CHECK_EQ(counter_read(COUNT_blocks_moved) - moved, !excluded);
    CHECK_AT(memcmp(target, shadow, size) == 0, from * 100 + to);
    unit_remove(source);
    CHECK_AT(memcmp(target, shadow, size) == 0, from * 100 + to);
    memset(target, 1, size);
    unit_remove(target);
    munmap(shadow, SIZE);
    munmap(ignored, SIZE);
}

TEST(allocation, moved_contents_arrive_whatever_they_were)
{
    unit_start("");
    for (enum state from = 0; from < STATES; from++)
        for (enum state to = 0; to < STATES; to++) {
            try_move(from, to, SIZE, false);
            try_move(from, to, SIZE / 2 + 777, false);
        }
    try_move(PATCHWORK, HOLES, SIZE, true);
    CHECK_EQ(extent_count(), 0);
    CHECK_EQ(stores_open(), 0);
}

/* A reallocation of a view costs no memory. */
TEST(allocation, a_moved_view_stays_a_view)
{
    char *a, *b, *c;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    c = unit_block(PAGES);
    engine_move(c, b, SIZE);
    unit_remove(b);
    CHECK_EQ(private_pages(c, PAGES), 0);
    CHECK(store_at(c) == store_at(a));
    CHECK(unit_holds(c, SIZE, 1));
}

/* The program unmapped a block behind our back, and the allocator has the address again. */
TEST(allocation, a_new_block_evicts_stale_ones_and_their_store_is_left_alone)
{
    struct engine_block found;
    struct store *store;
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    store = store_at(a);
    CHECK(mmap(b, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == b);
    CHECK(engine_add(b + page_size, SIZE, b));
    CHECK(!engine_look_up(b, &found));
    CHECK(engine_look_up(b + page_size, &found) && !found.has_views && found.size == SIZE);
    CHECK(store->astray);
    CHECK(unit_holds(a, SIZE, 1));
}

/* free() in a signal handler that interrupted us: the memory is lost rather than reused. */
TEST(allocation, inside_of_us_blocks_are_only_looked_at)
{
    struct engine_block found;
    char *a, *b, *fresh;
    void *raw;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    fresh = unit_map(SIZE);
    thread_self.inside = true;
    CHECK(!engine_add(fresh, SIZE, fresh));
    CHECK(engine_look_up(a, &found) && found.raw == NULL && found.size == SIZE);
    CHECK(!engine_look_up(fresh, &found));
    CHECK(engine_withdraw(a) == NULL);
    raw = fresh;
    CHECK(engine_remove(a, &raw) && raw == NULL);
    CHECK(!engine_remove(fresh, &raw));
    engine_set_size(a, 1);
    engine_shrink(a, 1);
    thread_self.inside = false;
    CHECK(engine_look_up(a, &found) && found.raw == a && found.size == SIZE);
    CHECK(unit_holds(a, SIZE, 1));
    unit_remove(a);
    unit_remove(b);
}

/* A vfork child frees: what it does to a view is done to the parent's memory, but the descriptors are not the same. */
TEST(allocation, a_vfork_child_frees_nothing_that_shows_a_store)
{
    char *a, *b;
    int status;
    pid_t child;

    if (UNIT_TSAN)
        SKIP("TSan makes a fork of a vfork");
    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    child = vfork();
    if (child == 0) {
        void *raw = a;

        _exit(engine_remove(a, &raw) && raw == NULL ? 0 : 1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK(unit_holds(a, SIZE, 1));
    unit_remove(a);
    unit_remove(b);
    CHECK_EQ(stores_open(), 0);
}
