/* SPDX-License-Identifier: MIT */
/* Equal pages of two ranges become one, and no byte of either changes, whoever writes meanwhile. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/control.h"
#include "engine/engine.h"
#include "engine_unit.h"

#define PAGES ((size_t)256)
#define SIZE (PAGES * page_size)

static char *filled(unsigned number)
{
    char *block = unit_block(PAGES);

    unit_fill(block, SIZE, number);
    return block;
}

static void write_page(char *block, size_t page, int value)
{
    memset(block + page * page_size, value, page_size);
}

static bool page_is(const char *block, size_t page, int value)
{
    return unit_all(block + page * page_size, page_size, value);
}

static enum reason merge(char *a, char *b)
{
    return engine_merge(a, b, SIZE, false);
}

static void merge_alike(const char *internal)
{
    char *a, *b;

    unit_start(internal);
    unit_alone();
    a = filled(1);
    b = filled(1);
    CHECK_EQ(merge(a, b), REASON_none);
    CHECK_EQ(private_pages(a, PAGES), 0);
    CHECK_EQ(private_pages(b, PAGES), 0);
    CHECK(store_at(a) != NULL && store_at(a) == store_at(b));
    CHECK(unit_holds(a, SIZE, 1) && unit_holds(b, SIZE, 1));
    write_page(a, 3, 7);
    write_page(b, 4, 8);
    CHECK(page_is(a, 3, 7) && page_is(b, 4, 8));
    CHECK(unit_holds(a, 3 * page_size, 1) && unit_holds(b, 3 * page_size, 1));
    CHECK(!page_is(a, 4, 8) && !page_is(b, 3, 7));
}

TEST(merge, blocks_that_are_equal_become_one)
{
    merge_alike(NULL);
}

TEST(merge, blocks_become_one_under_userfaultfd)
{
    merge_alike("guard-always");
}

TEST(merge, blocks_become_one_under_mprotect)
{
    merge_alike("guard-always,uffd-off");
}

TEST(merge, blocks_become_one_where_pagemap_is_only_read)
{
    merge_alike("scan-off,vma-off,tmpfs-off");
}

static void merge_scattered(const char *internal)
{
    char *a, *b;

    unit_start(internal);
    unit_alone();
    a = filled(1);
    b = filled(1);
    for (size_t page = 5; page < PAGES; page += 20)
        write_page(b, page, (int)page);
    CHECK_EQ(merge(a, b), REASON_none);
    CHECK_EQ(private_pages(a, PAGES), 0);
    CHECK_EQ(private_pages(b, PAGES), (PAGES - 6) / 20 + 1);
    CHECK_EQ(extents_of(b), extents_of(a));
    CHECK(unit_holds(a, SIZE, 1));
    for (size_t page = 5; page < PAGES; page += 20)
        CHECK_AT(page_is(b, page, (int)page), page);
    for (size_t page = 0; page < PAGES; page++)
        if (page % 20 != 5)
            CHECK_AT(memcmp(b + page * page_size, a + page * page_size, page_size) == 0, page);
}

TEST(merge, pages_that_differ_between_stay_private_and_cost_no_mapping)
{
    merge_scattered(NULL);
}

TEST(merge, pages_that_differ_stay_private_under_userfaultfd)
{
    merge_scattered("guard-always");
}

TEST(merge, pages_that_differ_stay_private_under_mprotect)
{
    merge_scattered("guard-always,uffd-off");
}

TEST(merge, nothing_is_sealed_where_nothing_is_equal)
{
    char *a, *b;

    unit_start(NULL);
    a = filled(1);
    b = filled(2);
    CHECK_EQ(merge(a, b), REASON_none);
    CHECK_EQ(engine_merge(a, b, SIZE, true), REASON_none);
    CHECK_EQ(stores_open(), 0);
    CHECK_EQ(private_pages(a, PAGES), PAGES);
}

/* 20 equal pages that no sample meets. */
TEST(merge, all_finds_what_a_sample_does_not)
{
    char *a, *b;

    unit_start(NULL);
    a = filled(1);
    b = filled(2);
    for (size_t page = 1; page < 41; page++)
        if (page % 4 != 2)
            memcpy(b + page * page_size, a + page * page_size, page_size);
    CHECK_EQ(merge(a, b), REASON_none);
    CHECK_EQ(private_pages(b, PAGES), PAGES);
    CHECK_EQ(engine_merge(a, b, SIZE, true), REASON_none);
    CHECK_EQ(private_pages(b, PAGES), PAGES - 30);
    CHECK(unit_holds(a, SIZE, 1));
    CHECK(memcmp(b + 2 * page_size, a + 2 * page_size, page_size) != 0);
}

/* A page of the taker that costs nothing now must not cost one afterwards. */
TEST(merge, holes_of_the_taker_stay_holes)
{
    char *a, *b;

    unit_start(NULL);
    a = filled(1);
    b = unit_block(PAGES);
    unit_fill(b, SIZE / 2, 1);
    CHECK_EQ(merge(a, b), REASON_none);
    CHECK_EQ(touched_pages(b + SIZE / 2, PAGES / 2), 0);
    CHECK_EQ(private_pages(b, PAGES), 0);
    CHECK(unit_holds(b, SIZE / 2, 1));
    CHECK(unit_all(b + SIZE / 2, SIZE / 2, 0));
}

TEST(merge, who_shows_a_store_already_is_the_donor)
{
    char *a, *b;
    struct store *store;

    unit_start(NULL);
    a = filled(1);
    b = sealed_block(PAGES, 1, NULL);
    store = store_at(b);
    CHECK_EQ(merge(a, b), REASON_none);
    CHECK(store_at(a) == store && store_at(b) == store);
    CHECK_EQ(stores_open(), 1);
    CHECK(unit_holds(a, SIZE, 1) && unit_holds(b, SIZE, 1));
}

TEST(merge, two_stores_become_one)
{
    char *a, *b;

    unit_start(NULL);
    a = sealed_block(PAGES, 1, NULL);
    b = sealed_block(PAGES, 1, NULL);
    CHECK_EQ(merge(a, b), REASON_none);
    CHECK(store_at(a) == store_at(b));
    CHECK(unit_holds(a, SIZE, 1) && unit_holds(b, SIZE, 1));
}

/* The donor's page was written since it was sealed, and the taker is equal to what it is now. */
TEST(merge, the_donors_own_pages_are_not_taken_for_the_stores)
{
    char *a, *b, *other;

    unit_start(NULL);
    a = sealed_block(PAGES, 1, &other);
    b = filled(1);
    write_page(a, 9, 5);
    write_page(b, 9, 5);
    CHECK_EQ(merge(a, b), REASON_none);
    CHECK(page_is(a, 9, 5) && page_is(b, 9, 5));
    CHECK(unit_holds(other, SIZE, 1));
    write_page(a, 9, 1);
    CHECK(page_is(b, 9, 5));
    CHECK(private_pages(b, PAGES) <= 1);
}

TEST(merge, halves_of_one_block_become_one)
{
    char *block;

    unit_start(NULL);
    block = unit_block(2 * PAGES);
    unit_fill(block, SIZE, 1);
    unit_fill(block + SIZE, SIZE, 1);
    CHECK_EQ(merge(block, block + SIZE), REASON_none);
    CHECK_EQ(private_pages(block, 2 * PAGES), 0);
    CHECK(unit_holds(block, SIZE, 1) && unit_holds(block + SIZE, SIZE, 1));
}

TEST(merge, what_was_merged_is_not_merged_again)
{
    char *a, *b;
    uint64_t before;

    unit_start(NULL);
    a = filled(1);
    b = filled(1);
    merge(a, b);
    before = counter_read(COUNT_sealed_bytes);
    CHECK_EQ(merge(a, b), REASON_none);
    CHECK_EQ(counter_read(COUNT_sealed_bytes), before);
    CHECK(unit_holds(a, SIZE, 1) && unit_holds(b, SIZE, 1));
}

TEST(merge, what_cannot_be_merged_is_named)
{
    char *a, *b;

    unit_start(NULL);
    a = filled(1);
    b = filled(1);
    CHECK_EQ(engine_merge(a, b + 1, SIZE - 1, false), REASON_incongruent);
    CHECK_EQ(engine_merge(a, a + page_size, SIZE / 2, false), REASON_overlapping);
    CHECK_EQ(engine_merge(a + 1, b + 1, 2 * page_size, false), REASON_small);
    CHECK_EQ(engine_merge(unit_map(SIZE), b, SIZE, false), REASON_not_source);
    CHECK_EQ(engine_merge(a, unit_map(SIZE), SIZE, false), REASON_not_target);
    engine_hint(b, 1, HINT_EXCLUDE);
    CHECK_EQ(merge(a, b), REASON_excluded);
    engine_hint(b, 1, HINT_NONE);
    CHECK_EQ(merge(a, b), REASON_none);
}

TEST(merge, without_a_store_it_is_not_the_pagemap_that_is_missing)
{
    char *a, *b;

    unit_start("memfd-off,tmpfs-off");
    a = filled(1);
    b = filled(1);
    CHECK_EQ(merge(a, b), REASON_no_store);
    CHECK(unit_holds(a, SIZE, 1) && unit_holds(b, SIZE, 1));
}

struct writer {
    char *block;
    size_t page; /* words are written from this page on, in every eighth page */
    _Atomic bool stop;
    _Atomic unsigned long rounds;
    unsigned long lost;
};

static _Atomic uint64_t *word_of(const struct writer *writer, size_t page)
{
    return (_Atomic uint64_t *)(void *)(writer->block + page * page_size);
}

static void *write_for_ever(void *argument)
{
    struct writer *writer = argument;

    for (uint64_t value = 1; !writer->stop; value++, writer->rounds++)
        for (size_t page = writer->page; page < PAGES; page += 8) {
            writer->lost += value > 1 && *word_of(writer, page) != value - 1;
            atomic_store(word_of(writer, page), value);
        }
    return NULL;
}

/* Both sides are written while they are merged, again and again. */
static void race_with(const char *internal)
{
    struct writer writers[2] = {{.page = 3}, {.page = 6}};
    pthread_t threads[2];

    unit_start(internal);
    unit_alone();
    for (int i = 0; i < 2; i++) {
        writers[i].block = filled(1);
        pthread_create(&threads[i], NULL, write_for_ever, &writers[i]);
    }
    while (writers[0].rounds == 0 || writers[1].rounds == 0) /* a thread that begins blocks all signals, which the mprotect guard refuses */
        ;
    for (int round = 0; round < 40; round++) {
        unsigned long before = writers[0].rounds;

        CHECK_EQ(engine_merge(writers[0].block, writers[1].block, SIZE, true), REASON_none);
        while (writers[0].rounds < before + 2)
            ;
    }
    for (int i = 0; i < 2; i++) {
        writers[i].stop = true;
        pthread_join(threads[i], NULL);
        CHECK_EQ(writers[i].lost, 0);
        for (size_t page = 0; page < PAGES; page++)
            if (page % 8 != writers[i].page)
                CHECK_AT(memcmp(writers[i].block + page * page_size, writers[1 - i].block + page * page_size, 8) == 0 ||
                             page % 8 == writers[1 - i].page,
                         page);
    }
    CHECK(counter_read(COUNT_merged_bytes) > 0);
}

TEST(merge, no_write_is_lost_under_userfaultfd)
{
    race_with(NULL);
}

TEST(merge, no_write_is_lost_under_mprotect)
{
    race_with("uffd-off");
}
