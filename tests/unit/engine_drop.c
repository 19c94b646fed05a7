/* SPDX-License-Identifier: MIT */
/* Dropping views: page by page against what was there before. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/report/counters.h"
#include "engine/memory/drop.h"
#include "engine/engine.h"
#include "engine_unit.h"

#define PAGES 160

struct scene {
    char *block, *shadow;
    struct block *record;
    bool viewed[PAGES]; /* an extent covers the page */
};

static void note_views(struct scene *scene)
{
    for (size_t page = 0; page < PAGES; page++) {
        uintptr_t start = (uintptr_t)scene->block + page * page_size;

        scene->viewed[page] = extent_any(scene->record, start, start + page_size);
    }
}

static void begin(struct scene *scene, enum state state)
{
    scene->shadow = unit_map(PAGES * page_size);
    scene->block = unit_block(PAGES);
    scene->record = block_at(scene->block);
    bring_into(state, scene->block, PAGES, 1, scene->shadow);
    note_views(scene);
}

static void end(struct scene *scene, enum state state, size_t from, size_t to)
{
    if (memcmp(scene->block, scene->shadow, PAGES * page_size) != 0)
        UNIT_FAIL("state %d, pages %zu to %zu: wrong contents", state, from, to);
    for (size_t page = 0; page < PAGES; page++) {
        uintptr_t start = (uintptr_t)scene->block + page * page_size;

        CHECK_AT(extent_any(scene->record, start, start + page_size) == scene->viewed[page], page);
    }
    unit_remove(scene->block);
    CHECK_EQ(extent_count(), 0);
    CHECK_EQ(stores_open(), 0);
}

typedef int drop(struct block *block, uintptr_t start, uintptr_t end);

static void drop_range(struct scene *scene, drop *how, size_t from, size_t to)
{
    lock_take(&scene->record->lock);
    CHECK_EQ(how(scene->record, (uintptr_t)scene->block + from * page_size, (uintptr_t)scene->block + to * page_size), 0);
    lock_drop(&scene->record->lock);
}

/* From every page that matters to every other. */
static void try_ranges(drop *how, const char *internal, void (*expect)(struct scene *scene, size_t from, size_t to))
{
    static const size_t edges[] = {0, 3, 11, 40, 77, 80, 81, 86, 130, PAGES};
    size_t count = sizeof edges / sizeof *edges;

    unit_start(internal);
    unit_alone();
    for (enum state state = 0; state < STATES; state++)
        for (size_t i = 0; i < count; i++)
            for (size_t j = i + 1; j < count; j++) {
                struct scene scene;

                begin(&scene, state);
                drop_range(&scene, how, edges[i], edges[j]);
                expect(&scene, edges[i], edges[j]);
                end(&scene, state, edges[i], edges[j]);
                munmap(scene.shadow, PAGES * page_size);
            }
}

static void expect_views_zero(struct scene *scene, size_t from, size_t to)
{
    for (size_t page = from; page < to; page++)
        if (scene->viewed[page]) {
            CHECK_AT(touched_pages(scene->block + page * page_size, 1) == 0, page);
            memset(scene->shadow + page * page_size, 0, page_size);
            scene->viewed[page] = false;
        }
}

TEST(drop, views_become_zero_and_anonymous_pages_stay)
{
    try_ranges(drop_views, "", expect_views_zero);
}

static void expect_all_zero(struct scene *scene, size_t from, size_t to)
{
    CHECK_EQ(touched_pages(scene->block + from * page_size, to - from), 0);
    memset(scene->shadow + from * page_size, 0, (to - from) * page_size);
    memset(scene->viewed + from, 0, to - from);
}

TEST(drop, to_zero_clears_everything_in_the_range_and_gives_its_memory_back)
{
    try_ranges(drop_to_zero, "", expect_all_zero);
}

static void expect_unshared(struct scene *scene, size_t from, size_t to)
{
    for (size_t page = from; page < to; page++)
        if (scene->viewed[page])
            CHECK_AT(private_pages(scene->block + page * page_size, 1) == 1, page);
    memset(scene->viewed + from, 0, to - from);
}

TEST(drop, sharing_ends_and_the_contents_stay)
{
    try_ranges(drop_sharing, "", expect_unshared);
}

TEST(drop, sharing_ends_with_userfaultfd_holding_writers)
{
    try_ranges(drop_sharing, "guard-always", expect_unshared);
}

TEST(drop, sharing_ends_with_mprotect_holding_writers)
{
    try_ranges(drop_sharing, "guard-always,uffd-off", expect_unshared);
}

TEST(drop, sharing_stays_where_writers_cannot_be_held)
{
    char *a, *b;
    struct block *block;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    unit_start("guard-always,uffd-off,mprotect-off");
    block = block_at(a);
    lock_take(&block->lock);
    CHECK_EQ(drop_sharing(block, (uintptr_t)a, (uintptr_t)a + PAGES * page_size), -EDEADLK);
    lock_drop(&block->lock);
    CHECK_EQ(extents_of(a), 1);
    CHECK(unit_holds(a, PAGES * page_size, 1));
}

/* Views of several stores that touch each other go in one call each stretch. */
TEST(drop, neighbouring_views_of_several_stores_go_together)
{
    uint64_t dropped;
    char *block;

    unit_start("");
    block = unit_block(PAGES);
    for (size_t page = 0; page < PAGES; page += 40) {
        char *other = unit_block(40);

        unit_fill(block + page * page_size, 40 * page_size, (unsigned)page);
        store_after_fork(false); /* the next seal goes elsewhere */
        CHECK(unit_copy(other, block + page * page_size, 40 * page_size));
        unit_remove(other);
    }
    CHECK_EQ(extents_of(block), PAGES / 40);
    CHECK_EQ(stores_open(), PAGES / 40);
    dropped = counter_read(COUNT_views_dropped);
    lock_take(&block_at(block)->lock);
    CHECK_EQ(drop_views(block_at(block), (uintptr_t)block + 20 * page_size, (uintptr_t)block + 130 * page_size), 0);
    lock_drop(&block_at(block)->lock);
    CHECK_EQ(extents_of(block), 2);
    CHECK_EQ(counter_read(COUNT_views_dropped) - dropped, 110 * page_size);
    CHECK(unit_holds(block, 20 * page_size, 0));
    CHECK(unit_all(block + 20 * page_size, 110 * page_size, 0));
    CHECK(memcmp(block + 130 * page_size, block, page_size) != 0);
    CHECK_EQ(stores_open(), 2);
}
