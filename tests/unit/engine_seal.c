/* SPDX-License-Identifier: MIT */
/* Sealing moves private pages into stores and changes no byte. */
#include <string.h>
#include <sys/mman.h>

#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine/copy/seal.h"
#include "engine_unit.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"
#include "base/fault.h"
#include "base/sys.h"

static size_t seal_with(const struct write_guard *guard, char *memory, size_t pages, struct page_run *left, int *error)
{
    struct block *block = block_at(memory);
    uintptr_t walked;
    int count = pagemap_runs(PAGES_PRIVATE, (uintptr_t)memory, (uintptr_t)memory + pages * page_size, left, 64, &walked);
    size_t rest;

    CHECK(count >= 0);
    lock_take(&block->lock);
    rest = seal_runs(block, guard, left, (size_t)count, error);
    lock_drop(&block->lock);
    return rest;
}

static size_t seal(char *memory, size_t pages, struct page_run *left, int *error)
{
    return seal_with(&write_guard_none, memory, pages, left, error);
}

static void seal_all(char *memory, size_t pages)
{
    struct page_run runs[64];
    int error;

    CHECK_EQ(seal(memory, pages, runs, &error), 0);
    CHECK_EQ(error, 0);
}

static void fill_pages(char *memory, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        unit_fill(memory + i * page_size, page_size, (unsigned)i);
}

static bool pages_hold(const char *memory, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (!unit_holds(memory + i * page_size, page_size, (unsigned)i))
            return false;
    return true;
}

TEST(seal, private_runs_move_into_a_store_and_contents_stay)
{
    char *block;

    unit_start("");
    block = unit_block(256);
    fill_pages(block, 0, 100);
    fill_pages(block, 150, 250);
    seal_all(block, 256);
    CHECK_EQ(extents_of(block), 2);
    CHECK_EQ(private_pages(block, 256), 0);
    CHECK_EQ(touched_pages(block + 100 * page_size, 50), 0);
    CHECK_EQ(stores_allocated(), 200 * page_size);
    CHECK(pages_hold(block, 0, 100) && pages_hold(block, 150, 250));
    CHECK(unit_all(block + 100 * page_size, 50 * page_size, 0));
    memset(block, 9, 250 * page_size); /* and it is writable */
    CHECK(unit_all(block, 250 * page_size, 9));
}

TEST(seal, a_second_seal_finds_nothing_to_do)
{
    char *block;
    uint64_t seals;

    unit_start("");
    block = unit_block(128);
    fill_pages(block, 0, 128);
    seal_all(block, 128);
    seals = counter_read(COUNT_seals);
    seal_all(block, 128);
    CHECK_EQ(counter_read(COUNT_seals), seals);
}

TEST(seal, short_runs_are_left)
{
    struct page_run runs[64];
    char *block;
    int error;

    unit_start(""); /* eight pages are worth it with COWSHIM_MIN_SIZE=64K */
    block = unit_block(256);
    fill_pages(block, 0, 7);
    fill_pages(block, 100, 108);
    fill_pages(block, 200, 207);
    CHECK_EQ(seal(block, 256, runs, &error), 2);
    CHECK_EQ(error, 0);
    CHECK_EQ(runs[0].start, (uintptr_t)block);
    CHECK_EQ(runs[0].end - runs[0].start, 7 * page_size);
    CHECK_EQ(runs[1].start, (uintptr_t)block + 200 * page_size);
    CHECK_EQ(extents_of(block), 1);
    CHECK_EQ(private_pages(block, 256), 14);
}

/* Holes between short runs become holes of the store: no memory, one mapping. */
TEST(seal, runs_with_short_holes_become_one_piece)
{
    char *block;

    unit_start("");
    block = unit_block(256);
    fill_pages(block, 0, 8);
    fill_pages(block, 20, 28);
    fill_pages(block, 60, 68);
    fill_pages(block, 101, 109);
    seal_all(block, 256);
    CHECK_EQ(extents_of(block), 2);
    CHECK_EQ(stores_allocated(), 32 * page_size);
    CHECK(pages_hold(block, 0, 8) && pages_hold(block, 20, 28) && pages_hold(block, 60, 68) && pages_hold(block, 101, 109));
    CHECK(unit_all(block + 8 * page_size, 12 * page_size, 0));
    CHECK(unit_all(block + 28 * page_size, 32 * page_size, 0));
}

static uintptr_t torn; /* a place inside a huge page at which a piece ended */
static uintptr_t run_end;

static int note_piece(uintptr_t start, uintptr_t end)
{
    CHECK(start < end);
    if (end % HUGE_SIZE != 0 && end != run_end)
        torn = end;
    return 0;
}

static void nothing(uintptr_t start, uintptr_t end)
{
    CHECK(start < end);
}

/* A huge page that is mapped over in halves is torn into small ones before, which takes several times as long as writing it. */
TEST(seal, a_piece_ends_where_a_huge_page_does)
{
    static const struct write_guard noting = {"noting", false, note_piece, nothing, nothing};
    static const char *const kinds[] = {"tmpfs-off", ""};
    enum { PAGES = 2500 };

    for (int i = 0; i < 2; i++) {
        struct page_run runs[64];
        char *block;
        int error;

        unit_start(kinds[i]);
        block = unit_block(PAGES);
        run_end = (uintptr_t)block + PAGES * page_size;
        fill_pages(block, 100, PAGES); /* from the middle of a huge page on */
        torn = 0;
        CHECK_EQ(seal_with(&noting, block, PAGES, runs, &error), 0);
        CHECK_AT(torn == 0, torn);
        CHECK(pages_hold(block, 100, PAGES));
    }
}

TEST(seal, a_view_between_two_runs_is_not_written_again)
{
    char *block;

    unit_start("");
    block = unit_block(128);
    fill_pages(block, 0, 128);
    seal_all(block, 128);
    fill_pages(block, 10, 30);
    fill_pages(block, 40, 60);
    seal_all(block, 128);
    CHECK_EQ(counter_read(COUNT_sealed_bytes), (128 + 40) * page_size);
    CHECK(pages_hold(block, 0, 128));
    CHECK_EQ(private_pages(block, 128), 0);
}

TEST(seal, whole_leaves_one_clean_extent)
{
    struct page_run runs[64];
    struct block *block;
    uintptr_t walked;
    char *memory;
    int count;

    unit_start("");
    memory = unit_block(256);
    fill_pages(memory, 0, 256);
    seal_all(memory, 256);
    for (size_t i = 0; i < 256; i += 16)
        fill_pages(memory, i, i + 1);
    discard(memory + 5 * page_size, 2); /* not zero holes for long */
    fill_pages(memory, 5, 7);
    block = block_at(memory);
    count = pagemap_runs(PAGES_PRIVATE, (uintptr_t)memory, (uintptr_t)memory + 256 * page_size, runs, 64, &walked);
    CHECK_EQ(count, 17);
    CHECK(extents_of(memory) > 1);
    lock_take(&block->lock);
    CHECK_EQ(seal_whole(block, &write_guard_none, (uintptr_t)memory, (uintptr_t)memory + 256 * page_size, runs, (size_t)count), 0);
    lock_drop(&block->lock);
    CHECK_EQ(extents_of(memory), 1);
    CHECK_EQ(private_pages(memory, 256), 0);
    CHECK(pages_hold(memory, 0, 256));
    CHECK_EQ(stores_allocated(), 256 * page_size); /* the old one was given back */
}

TEST(seal, whole_huge_pages_go_to_the_huge_store)
{
    size_t pages = 10 * HUGE_SIZE / 4096;
    char *block;

    unit_start("");
    if (!storefile_huge_available())
        SKIP("no private tmpfs with huge pages here");
    block = unit_block(pages);
    fill_pages(block, 3, pages - 3);
    seal_all(block, pages);
    CHECK(pages_hold(block, 3, pages - 3));
    CHECK_EQ(extents_of(block), 3);
    CHECK_EQ(store_at(block + HUGE_SIZE)->file->kind, STOREFILE_HUGE);
    CHECK_EQ(store_at(block + 5 * page_size)->file->kind, STOREFILE_SMALL);
    CHECK_EQ(stores_allocated(), (pages - 6) * page_size);
    unit_remove(block);
    CHECK_EQ(stores_open(), 0);
    CHECK_EQ(extent_count(), 0);
}

TEST(seal, a_seal_that_fails_leaves_the_contents_and_no_store)
{
    struct page_run whole;
    struct block *record;
    char *block;
    int error = -1;

    unit_start("");
    block = unit_block(1024);
    record = block_at(block);
    for (unsigned long n = 1; error != 0; n++) {
        CHECK_AT(n < 100, n);
        fill_pages(block, 0, 1024); /* private again */
        whole.start = (uintptr_t)block;
        whole.end = whole.start + 1024 * page_size;
        lock_take(&record->lock);
        fault_at(n, true);
        seal_runs(record, &write_guard_none, &whole, 1, &error);
        fault_at(0, false);
        lock_drop(&record->lock);
        CHECK_AT(pages_hold(block, 0, 1024), n);
        discard(block, 1024);
        CHECK_AT(stores_allocated() == 0, n);
        CHECK_AT(extent_count() == 0, n);
    }
}

/* One page in 34 written: no run is long enough, no hole short enough. Consolidation would need a mapping or two for each. */
TEST(seal, a_block_of_many_short_runs_leaves_the_program_its_mappings)
{
    size_t runs = 36000, step = 34, pages = runs * step;
    char *block, *copy;

    if (UNIT_TSAN || UNIT_ASAN)
        SKIP("too much memory for a sanitizer");
    unit_start("");
    block = unit_block(pages);
    copy = unit_block(pages);
    for (size_t i = 0; i < runs; i++)
        block[i * step * page_size] = 1;
    for (int i = 0; i < 30; i++) {
        char *probe[200];

        unit_copy(copy, block, pages * page_size);
        for (size_t j = 0; j < 200; j++) {
            probe[j] = mmap(NULL, page_size, j & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (probe[j] == MAP_FAILED)
                UNIT_FAIL("after copy %d the program has no mapping left: %zu views", i, extent_count());
        }
        for (size_t j = 0; j < 200; j++)
            munmap(probe[j], page_size);
        CHECK_AT(extent_count() <= map_limit() / 8 * 3, i);
        block[0]++;
    }
    for (size_t i = 1; i < runs; i++)
        CHECK_AT(copy[i * step * page_size] == 1, i);
}

static char *late_page;

/* A writer that came between the scan and the moment at which writers were stopped. */
static int stop_after_a_write(uintptr_t start, uintptr_t end)
{
    if ((uintptr_t)late_page >= start && (uintptr_t)late_page < end)
        unit_fill(late_page, page_size, 77);
    return 0;
}

static void let_go(uintptr_t start, uintptr_t end)
{
    (void)start;
    (void)end;
}

TEST(seal, a_hole_that_was_written_after_the_scan_is_sealed_too)
{
    static const struct write_guard guard = {"late", true, stop_after_a_write, let_go, let_go};
    struct page_run runs[64];
    char *block;
    int error;

    unit_start("");
    block = unit_block(64);
    fill_pages(block, 0, 20);
    fill_pages(block, 40, 64);
    late_page = block + 30 * page_size;
    CHECK_EQ(seal_with(&guard, block, 64, runs, &error), 0);
    CHECK_EQ(error, 0);
    CHECK_EQ(extents_of(block), 1);
    CHECK(unit_holds(late_page, page_size, 77));
    CHECK(pages_hold(block, 0, 20) && pages_hold(block, 40, 64));
    CHECK(unit_all(block + 20 * page_size, 10 * page_size, 0) && unit_all(block + 31 * page_size, 9 * page_size, 0));
}
