/* SPDX-License-Identifier: MIT */
/* Reclaim against a model of which store pages anybody can see: what is visible is never punched, and what nobody sees is given
   back once something happened. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine/store/reclaim.h"
#include "engine_unit.h"
#include "kernel/pagemap.h"
#include "kernel/storefile.h"

/* Faults enough for a look, and an event. */
static void make_event(void)
{
    size_t size = store_bytes() + ((size_t)1 << 20);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(memory != MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < size; at += page_size)
        memory[at] = 1;
    munmap(memory, size);
    reclaim_event();
}

struct world {
    char **block, **shadow;
    size_t blocks, pages;
};

static void make_world(struct world *world, size_t blocks, size_t pages)
{
    world->block = calloc(blocks, sizeof *world->block);
    world->shadow = calloc(blocks, sizeof *world->shadow);
    world->blocks = blocks;
    world->pages = pages;
    for (size_t i = 0; i < blocks; i++) {
        world->block[i] = unit_block(pages);
        world->shadow[i] = unit_map(pages * page_size);
    }
}

static void verify(const struct world *world, size_t i, const char *when)
{
    for (size_t page = 0; page < world->pages; page++)
        if (memcmp(world->block[i] + page * page_size, world->shadow[i] + page * page_size, page_size) != 0)
            UNIT_FAIL("%s: block %zu is wrong at page %zu", when, i, page);
}

static void write_pages(struct world *world, size_t i, size_t from, size_t pages)
{
    uint64_t value = unit_random();

    for (size_t at = from * page_size; at < (from + pages) * page_size; at += 8) {
        *(uint64_t *)(void *)(world->block[i] + at) = value + at;
        *(uint64_t *)(void *)(world->shadow[i] + at) = value + at;
    }
}

static void copy_pages(struct world *world, size_t to, size_t target, size_t from, size_t source, size_t pages)
{
    if (to == from && (target < source + pages && source < target + pages))
        return;
    unit_copy(world->block[to] + target * page_size, world->block[from] + source * page_size, pages * page_size);
    memcpy(world->shadow[to] + target * page_size, world->shadow[from] + source * page_size, pages * page_size);
}

static void start_anew(struct world *world, size_t i)
{
    unit_remove(world->block[i]);
    munmap(world->block[i], world->pages * page_size);
    world->block[i] = unit_block(world->pages);
    memset(world->shadow[i], 0, world->pages * page_size);
}

static void fill_pages(struct world *world, size_t i, size_t from, size_t pages, int value)
{
    char *to = world->block[i] + from * page_size;

    if (!engine_fill(to, value, pages * page_size))
        memset(to, value, pages * page_size);
    memset(world->shadow[i] + from * page_size, value, pages * page_size);
}

static void do_something(struct world *world)
{
    size_t a = unit_random() % world->blocks, b = unit_random() % world->blocks;
    size_t from = unit_random() % world->pages, pages = 1 + unit_random() % (world->pages - from);
    size_t to = unit_random() % 2 ? from : unit_random() % (world->pages - pages + 1);

    switch (unit_random() % 16) {
    case 0:
        start_anew(world, a);
        break;
    case 1:
        discard(world->block[a] + from * page_size, pages);
        madvise(world->block[a] + from * page_size, pages * page_size, MADV_DONTNEED);
        memset(world->shadow[a] + from * page_size, 0, pages * page_size);
        break;
    case 2:
        fill_pages(world, a, from, pages, (int)(unit_random() & 1));
        break;
    case 3:
    case 4:
    case 5:
        write_pages(world, a, from, pages);
        break;
    case 6:
    case 7:
        for (size_t page = from; page < world->pages; page += 1 + unit_random() % 30)
            write_pages(world, a, page, 1);
        break;
    case 8:
        copy_pages(world, a, 0, b, 0, world->pages);
        break;
    default:
        copy_pages(world, a, to, b, from, pages);
        break;
    }
}

/* Marks the pages of the store that the view shows and that no private page hides. */
static void mark_visible(const struct extent *view, bool *visible)
{
    for (uintptr_t at = extent_start(view); at < extent_end(view); at += page_size) {
        int hidden = pagemap_any(PAGES_PRIVATE, at, at + page_size);

        CHECK(hidden >= 0);
        if (!hidden)
            visible[(extent_offset(view, at) - store_start(view->store)) / page_size] = true;
    }
}

static size_t visible_pages(struct store *store)
{
    size_t pages = (store->used - store_start(store)) / page_size;
    bool *visible = calloc(pages + 1, sizeof *visible);
    size_t count = 0;

    for (struct tree_node *node = tree_first(&store->views); node != NULL; node = tree_next(node))
        mark_visible(tree_entry(node, struct extent, by_offset), visible);
    for (size_t page = 0; page < pages; page++)
        count += visible[page];
    free(visible);
    return count;
}

/* Pages of the store that are memory. */
static size_t allocated_pages(struct store *store)
{
    off_t at = (off_t)store_start(store), end = (off_t)store->used, stop;
    int fd = store_use(store);
    size_t bytes = 0;

    while (at < end && (at = lseek(fd, at, SEEK_DATA)) >= 0 && at < end) {
        stop = lseek(fd, at, SEEK_HOLE);
        stop = stop < end ? stop : end;
        bytes += (size_t)(stop - at);
        at = stop;
    }
    return bytes / page_size;
}

/* Pages that are allocated and that nobody sees. Fewer may be allocated than are seen: a hole of a store is no memory. */
static size_t dead_pages(void)
{
    size_t dead = 0, all = 0;

    for (struct store *store = store_after(NULL); store != NULL; store = store_after(store)) {
        size_t visible = visible_pages(store), allocated = allocated_pages(store);

        all += allocated;
        if (allocated > visible)
            dead += allocated - visible;
    }
    return dead + stores_allocated() / page_size - all; /* outside of all stores nothing is allocated */
}

/* A look may be cut short, and after one in vain nobody looks for a while, longer on a busy machine: events go on. */
static void expect_nothing_dead(void)
{
    for (unsigned i = 0; i < 400 && dead_pages() > 0; i++) {
        make_event();
        usleep((i < 50 ? i : 50) * 1000);
    }
    if (dead_pages() > 0)
        UNIT_FAIL("%zu dead pages are kept", dead_pages());
}

static void live(size_t blocks, size_t pages, int rounds, const char *internal)
{
    struct world world;

    unit_start(internal);
    make_world(&world, blocks, pages);
    for (int round = 1; round <= rounds; round++) {
        do_something(&world);
        verify(&world, unit_random() % blocks, "after an operation");
        if (round % 50 != 0)
            continue;
        expect_nothing_dead();
        for (size_t i = 0; i < blocks; i++)
            verify(&world, i, "after reclaim");
    }
    CHECK(counter_read(COUNT_reclaimed_bytes) > 0);
    for (size_t i = 0; i < blocks; i++)
        unit_remove(world.block[i]);
    CHECK_EQ(stores_allocated(), 0);
}

TEST(reclaim, random_lives_lose_no_visible_page_and_keep_no_dead_one)
{
    live(3, 200, UNIT_TSAN || UNIT_ASAN ? 300 : 1500, "");
}

TEST(reclaim, many_small_blocks_in_shared_stores)
{
    live(40, 32, UNIT_TSAN || UNIT_ASAN ? 400 : 2000, "");
}

/* Pages that both source and copy hide are punched; a further copy of the source writes its scattered pages over views of the
   same store pages, for which the kernel allocates them again. */
TEST(reclaim, copying_scattered_pages_does_not_bring_dead_ones_back)
{
    struct world world;

    unit_start("");
    make_world(&world, 3, 512);
    write_pages(&world, 0, 0, 512);
    copy_pages(&world, 1, 0, 0, 0, 512);
    for (size_t page = 0; page < 512; page += 40) {
        write_pages(&world, 0, page, 1);
        write_pages(&world, 1, page, 1);
    }
    expect_nothing_dead();
    for (int i = 0; i < 3; i++) {
        copy_pages(&world, 2, 0, 0, 0, 512);
        expect_nothing_dead();
        verify(&world, 2, "after a copy of scattered pages");
    }
}

/* Thousands of small arrays, each copied, both then rewritten: all that the copies shared is dead, in few stores. */
TEST(reclaim, stores_with_hundreds_of_views_are_looked_at_too)
{
    size_t pairs = UNIT_TSAN ? 25 : 400, pages = 16; /* TSan follows 64 locks of a thread at most */
    struct world world;

    unit_start("");
    make_world(&world, 2 * pairs, pages);
    for (size_t i = 0; i < pairs; i++) {
        write_pages(&world, 2 * i, 0, pages);
        copy_pages(&world, 2 * i + 1, 0, 2 * i, 0, pages);
    }
    CHECK(stores_open() <= pairs * pages * page_size / ((size_t)4 << 20) + 1);
    CHECK_EQ(stores_allocated(), pairs * pages * page_size);
    for (size_t i = 0; i < 2 * pairs; i++)
        if (i % 20 != 0)
            write_pages(&world, i, 0, pages);
    expect_nothing_dead();
    CHECK_EQ(stores_allocated(), (2 * pairs + 19) / 20 * pages * page_size);
    for (size_t i = 0; i < 2 * pairs; i++)
        verify(&world, i, "after all was rewritten");
}

/* Whole huge pages: a part that is hidden everywhere goes, and so does all of it. */
TEST(reclaim, dead_huge_pages_are_given_back)
{
    size_t unit = HUGE_SIZE / 4096, pages = 6 * unit;
    struct world world;

    unit_start("");
    if (!storefile_huge_available())
        SKIP("no private tmpfs with huge pages here");
    make_world(&world, 2, pages);
    write_pages(&world, 0, 0, pages);
    copy_pages(&world, 1, 0, 0, 0, pages);
    CHECK_EQ(stores_allocated(), 6 * HUGE_SIZE);
    for (size_t i = 0; i < 2; i++)
        write_pages(&world, i, unit, 2 * unit);
    expect_nothing_dead();
    CHECK_EQ(stores_allocated(), 4 * HUGE_SIZE);
    verify(&world, 0, "half of the source is dead");
    verify(&world, 1, "half of the copy is dead");
    for (size_t i = 0; i < 2; i++)
        write_pages(&world, i, 0, pages);
    expect_nothing_dead();
    CHECK_EQ(stores_allocated(), 0);
    verify(&world, 0, "all of the source is dead");
    verify(&world, 1, "all of the copy is dead");
}

/* One reader is left: what it overwrote is nobody's. */
TEST(reclaim, the_last_reader_of_a_store_keeps_only_what_it_sees)
{
    struct world world;

    unit_start("");
    make_world(&world, 2, 512);
    write_pages(&world, 0, 0, 512);
    copy_pages(&world, 1, 0, 0, 0, 512);
    write_pages(&world, 1, 100, 200);
    CHECK_EQ(dead_pages(), 0); /* the source sees all */
    start_anew(&world, 0);
    expect_nothing_dead();
    CHECK_EQ(stores_allocated(), 312 * page_size);
    verify(&world, 1, "the source is gone");
}

#define THREADS 2

static _Atomic unsigned finished;

/* Its own blocks, in files that all threads share. */
static void *live_beside_others(void *argument)
{
    struct world *world = argument;

    for (int round = 0; round < (UNIT_TSAN || UNIT_ASAN ? 150 : 1000); round++) {
        do_something(world);
        verify(world, unit_random() % world->blocks, "beside other threads");
    }
    for (size_t i = 0; i < world->blocks; i++)
        verify(world, i, "at the end, beside other threads");
    finished++;
    return NULL;
}

TEST(reclaim, threads_that_copy_and_write_lose_nothing_to_the_sweep)
{
    struct world worlds[THREADS];
    pthread_t threads[THREADS];

    unit_start("");
    for (int i = 0; i < THREADS; i++)
        make_world(&worlds[i], 3, 100);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, live_beside_others, &worlds[i]);
    while (finished < THREADS)
        make_event();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(counter_read(COUNT_reclaimed_bytes) > 0);
    expect_nothing_dead();
    for (int i = 0; i < THREADS; i++)
        for (size_t j = 0; j < worlds[i].blocks; j++)
            verify(&worlds[i], j, "at the very end");
}

/* A store that only its source shows, of which copies are plain by now: once an eighth of it was written it is given up as a whole. */
TEST(reclaim, a_deserted_store_is_dissolved)
{
    for (int plain = 0; plain < 2; plain++) {
        char *copy, *block;

        if (plain == 0)
            unit_start("");
        block = sealed_block(512, 1, &copy);
        unit_remove(copy);
        block_at(block)->given.pages = 512;
        block_at(block)->given.shared = plain ? 0 : 1;
        for (size_t page = 0; page < 512; page += 4)
            ((volatile char *)block)[page * page_size] += 0; /* the same byte, but a page of its own */
        make_event();
        CHECK_EQ(private_pages(block, 512), plain ? 512 : 128);
        CHECK_EQ(stores_allocated(), plain ? 0 : (512 - 128) * page_size);
        CHECK(unit_holds(block, 512 * page_size, 1));
        unit_remove(block);
    }
}
