/* SPDX-License-Identifier: MIT */
/* Foreign blocks: memory that the program registered is shared like any other, every memory call keeps its meaning there, and what the
   program mapped anew behind our back is noticed, with PROCMAP_QUERY and without. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"
#include "engine/block/foreign.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine_unit.h"
#include "kernel/map.h"
#include "kernel/vma_text.h"

#define PAGES 64
#define SIZE (PAGES * page_size)

static char *registered(void)
{
    char *memory = unit_map(SIZE);

    CHECK_EQ(engine_register(memory, SIZE), 0);
    return memory;
}

/* Two registered ranges that show the same store. */
static char *registered_pair(const char *internal, char **copy)
{
    char *original;

    unit_start(internal);
    original = registered();
    *copy = registered();
    unit_fill(original, SIZE, 1);
    CHECK(unit_copy(*copy, original, SIZE));
    CHECK(extents_of(original) > 0 && extents_of(*copy) > 0);
    return original;
}

static void call(char *memory, size_t from, size_t pages, enum engine_memory_call kind)
{
    CHECK(engine_memory_call(memory + from * page_size, pages * page_size, kind));
}

static unsigned access_of(const char *memory, size_t page)
{
    return map_access((uintptr_t)memory + page * page_size);
}

/* Whether each page of the range shows a store, as far as the block's list says, or none does. */
static bool listed(const char *memory, size_t from, size_t pages, bool wanted)
{
    for (size_t i = from; i < from + pages; i++)
        if ((store_at(memory + i * page_size) != NULL) != wanted)
            return false;
    return true;
}

static bool executable(const char *memory, size_t page)
{
    struct vma_walk walk;
    struct vma vma;

    vma_walk_begin(&walk);
    CHECK_EQ(vma_walk_at(&walk, (uintptr_t)memory + page * page_size, &vma), 0);
    return vma.executable;
}

static bool is_block(const char *memory, size_t page)
{
    struct block *block = block_find((uintptr_t)memory + page * page_size);

    if (block != NULL)
        block_release(block);
    return block != NULL;
}

static void map_anew(char *memory, size_t from, size_t pages)
{
    char *start = memory + from * page_size;

    CHECK(mmap(start, pages * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == start);
}

static void unregistered_memory_keeps(const char *internal)
{
    char *copy, *original = registered_pair(internal, &copy);

    CHECK_EQ(mprotect(copy + 8 * page_size, 8 * page_size, PROT_READ), 0);
    CHECK_EQ(mprotect(copy + 16 * page_size, 8 * page_size, PROT_NONE), 0);
    CHECK_EQ(mprotect(copy + 24 * page_size, 8 * page_size, PROT_READ | PROT_EXEC), 0);
    CHECK_EQ(engine_unregister(copy, SIZE), 0);
    CHECK(!is_block(copy, 0) && !is_block(copy, PAGES - 1));
    CHECK_EQ(access_of(copy, 7), ACCESS_USUAL);
    CHECK_EQ(access_of(copy, 8), ACCESS_READ);
    CHECK_EQ(access_of(copy, 16), 0);
    CHECK(!executable(copy, 23) && executable(copy, 24) && !executable(copy, 32));
    CHECK_EQ(mprotect(copy, SIZE, PROT_READ | PROT_WRITE), 0);
    CHECK_EQ(private_pages(copy, PAGES), PAGES);
    CHECK(unit_holds(copy, SIZE, 1) && unit_holds(original, SIZE, 1));
}

TEST(foreign, unregistered_memory_keeps_contents_and_protection)
{
    unregistered_memory_keeps("");
}

TEST(foreign, unregistered_memory_keeps_them_where_maps_is_read)
{
    unregistered_memory_keeps("vma-off");
}

TEST(foreign, zeroing_keeps_the_protection_of_each_page)
{
    char *copy, *original = registered_pair("", &copy);

    CHECK_EQ(mprotect(copy + 8 * page_size, 8 * page_size, PROT_READ), 0);
    call(copy, 4, 16, MEMORY_ZERO);
    call(copy, 40, 4, MEMORY_FREE);
    CHECK_EQ(access_of(copy, 4), ACCESS_USUAL);
    CHECK_EQ(access_of(copy, 8), ACCESS_READ);
    CHECK(unit_holds(copy, 4 * page_size, 1) && unit_all(copy + 4 * page_size, 16 * page_size, 0));
    CHECK(memcmp(copy + 20 * page_size, original + 20 * page_size, 20 * page_size) == 0);
    CHECK(listed(copy, 4, 16, false) && listed(copy, 40, 4, false) && listed(copy, 0, 4, true) && listed(copy, 20, 20, true));
    CHECK(unit_holds(original, SIZE, 1));
}

/* While mprotect is under way nothing may be mapped there; afterwards the kernel is asked. */
TEST(foreign, nothing_is_shared_while_the_program_changes_the_protection)
{
    char *copy, *original = registered_pair("", &copy);

    call(copy, 0, PAGES, MEMORY_ADMIT);
    call(copy, 0, 1, MEMORY_EXCLUDE);
    CHECK(!unit_copy(copy, original, SIZE));
    call(copy, 0, 1, MEMORY_SETTLED);
    CHECK(unit_copy(copy, original, SIZE));
    call(copy, 0, 1, MEMORY_SETTLED); /* one too many */
    CHECK(unit_copy(copy, original, SIZE));
    call(copy, 0, PAGES, MEMORY_HUGE);
    CHECK(block_at(copy)->huge);
    CHECK(unit_holds(copy, SIZE, 1));
}

TEST(foreign, what_the_program_unmaps_is_cut_out)
{
    char *copy, *original = registered_pair("", &copy);

    call(copy, 16, 8, MEMORY_GONE);
    CHECK_EQ(munmap(copy + 16 * page_size, 8 * page_size), 0);
    CHECK(is_block(copy, 15) && !is_block(copy, 16) && !is_block(copy, 23) && is_block(copy, 24));
    CHECK_EQ(block_at(copy)->size, 16 * page_size);
    CHECK(unit_copy(original, copy, 16 * page_size));
    CHECK(unit_copy(original + 24 * page_size, copy + 24 * page_size, SIZE - 24 * page_size));
    CHECK(unit_holds(original, SIZE, 1));
}

TEST(foreign, kept_memory_leaves_the_stores_and_the_block)
{
    char *copy, *original = registered_pair("", &copy);

    memset(copy + 5 * page_size, 7, page_size);
    call(copy, 0, 16, MEMORY_KEEP);
    CHECK_EQ(private_pages(copy, 16), 16);
    CHECK(!is_block(copy, 0) && is_block(copy, 16));
    CHECK(unit_holds(copy, 5 * page_size, 1) && unit_all(copy + 5 * page_size, page_size, 7));
    CHECK(memcmp(copy + 6 * page_size, original + 6 * page_size, SIZE - 6 * page_size) == 0);
}

/* Of what is mapped anew without a call that we see, only that part is forgotten; the rest still shows its store. */
static void noticed_behind_our_back(const char *internal)
{
    char *copy, *original = registered_pair(internal, &copy);
    struct block *block = block_at(copy);

    CHECK(foreign_in_place(extent_from(block, (uintptr_t)copy)));
    map_anew(copy, 8, 4);
    CHECK_EQ(munmap(copy + 30 * page_size, 3 * page_size), 0);
    CHECK(!foreign_in_place(extent_from(block, (uintptr_t)copy)));
    lock_take(&block->lock);
    CHECK_EQ(foreign_forget_stale(block, (uintptr_t)copy, (uintptr_t)copy + SIZE), 0);
    lock_drop(&block->lock);
    CHECK(listed(copy, 0, 8, true) && listed(copy, 8, 4, false) && listed(copy, 12, 18, true) && listed(copy, 30, 3, false) &&
          listed(copy, 33, 31, true));
    CHECK(foreign_in_place(extent_from(block, (uintptr_t)copy)));
    map_anew(copy, 30, 3);
    CHECK(unit_all(copy + 8 * page_size, 4 * page_size, 0) && unit_holds(original, SIZE, 1));
    CHECK(memcmp(copy + 12 * page_size, original + 12 * page_size, 18 * page_size) == 0);
}

TEST(foreign, what_is_mapped_anew_behind_our_back_is_forgotten)
{
    noticed_behind_our_back("");
}

TEST(foreign, what_is_mapped_anew_is_seen_in_maps_as_well)
{
    noticed_behind_our_back("vma-off");
}

/* The zeros must not fall on memory that took the place of a view. */
TEST(foreign, zeroing_leaves_alone_what_took_the_place_of_a_view)
{
    char *copy, *original = registered_pair("", &copy);

    map_anew(copy, 8, 4);
    memset(copy + 8 * page_size, 9, 4 * page_size);
    call(copy, 0, PAGES, MEMORY_FREE);
    CHECK(unit_all(copy, 8 * page_size, 0) && unit_all(copy + 12 * page_size, SIZE - 12 * page_size, 0));
    CHECK(unit_all(copy + 8 * page_size, 4 * page_size, 9));
    CHECK(unit_holds(original, SIZE, 1));
}

/* The allocator works in registered memory: its block shows nothing of what was there, and what stands beside it stays. */
TEST(foreign, the_allocator_gets_pages_without_a_store)
{
    char *copy, *original = registered_pair("", &copy);
    char *start = copy + 8 * page_size;

    CHECK(engine_add(start, 8 * page_size + 100, start));
    CHECK(unit_all(start, 8 * page_size, 0));
    CHECK(memcmp(copy + 16 * page_size, original + 16 * page_size, SIZE - 16 * page_size) == 0);
    CHECK(unit_holds(copy, 8 * page_size, 1));
    CHECK_EQ(block_at(start)->kind, BLOCK_MALLOC);
    CHECK_EQ(extents_of(start), 0);
    CHECK(is_block(copy, 7) && is_block(copy, 17)); /* with whole pages on both sides */
    unit_remove(start);
}

/* Nothing that we ask of the kernel works any more. Protection and contents are all the same what the program asked for. */
static void survives_failing_calls(const char *internal)
{
    char *copy, *original = registered_pair(internal, &copy);
    struct block *block = block_at(copy);

    CHECK_EQ(mprotect(copy + 8 * page_size, 8 * page_size, PROT_READ), 0);
    fault_at(1, true);
    CHECK(!foreign_in_place(extent_from(block, (uintptr_t)copy)));
    CHECK_EQ(engine_unregister(copy, SIZE), -ENOMEM);
    call(copy, 4, 16, MEMORY_ZERO);
    call(copy, 32, 8, MEMORY_KEEP); /* it stays where it is, and is ours no more */
    fault_at(0, false);
    CHECK(unit_holds(copy, 4 * page_size, 1) && unit_all(copy + 4 * page_size, 16 * page_size, 0));
    CHECK(memcmp(copy + 20 * page_size, original + 20 * page_size, SIZE - 20 * page_size) == 0);
    CHECK_EQ(access_of(copy, 7), ACCESS_USUAL);
    CHECK_EQ(access_of(copy, 8), ACCESS_READ);
    CHECK(unit_holds(original, SIZE, 1));
}

TEST(foreign, contents_and_protection_survive_failing_calls)
{
    survives_failing_calls("");
}

TEST(foreign, contents_and_protection_survive_failing_calls_where_maps_is_read)
{
    survives_failing_calls("vma-off");
}
