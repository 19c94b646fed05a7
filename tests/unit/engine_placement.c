/* SPDX-License-Identifier: MIT */
/* Where the blocks of a maker start, and what copies tell of it. */
#include <string.h>

#include "engine/engine.h"
#include "engine_unit.h"

#define PAGES 20
#define SIZE (PAGES * page_size)
#define HEADER ENGINE_LEAD

/* A block of a maker that starts so many bytes before a page boundary. */
static char *made_block(uint32_t maker, size_t lead)
{
    char *memory = unit_map(SIZE + 2 * page_size) + page_size - lead;

    CHECK(engine_add_made(memory, SIZE + HEADER, memory, maker));
    return memory;
}

static bool known_to_lead(uint32_t maker)
{
    bool leads = engine_lead(maker, false) == HEADER;

    CHECK_EQ(engine_lead(maker, true), leads ? HEADER : 0);
    return leads;
}

static bool unknown(uint32_t maker)
{
    return engine_lead(maker, false) == 0 && engine_lead(maker, true) == HEADER;
}

TEST(placement, a_guess_counts_until_something_is_known)
{
    unit_start("");
    CHECK(unknown(0x1004));
    CHECK_EQ(engine_lead(0, true), 0);
}

TEST(placement, a_copy_tells_that_a_header_is_in_front_of_the_bytes)
{
    char *array, *bytes, *other;

    unit_start("");
    array = unit_block(PAGES);
    bytes = made_block(0x1004, 0);
    other = made_block(0x2008, 0);
    CHECK(!unit_copy(bytes + HEADER, array, SIZE));
    CHECK(known_to_lead(0x1004) && unknown(0x2008));
    CHECK(!unit_copy(array, other + HEADER, SIZE));
    CHECK(known_to_lead(0x2008));
    bytes = made_block(0x1004, HEADER);
    CHECK(unit_copy(bytes + HEADER, array, SIZE));
    CHECK(unit_copy(array, bytes + HEADER, SIZE));
    CHECK(known_to_lead(0x1004));
}

TEST(placement, a_copy_tells_that_there_is_no_header_and_that_is_final)
{
    char *array, *misplaced, *placed;

    unit_start("");
    array = unit_block(PAGES);
    misplaced = made_block(0x1004, HEADER);
    CHECK(!unit_copy(misplaced, array, SIZE));
    CHECK(engine_lead(0x1004, true) == 0);
    placed = made_block(0x1004, 0);
    CHECK(!unit_copy(placed + HEADER, array, SIZE));
    CHECK(engine_lead(0x1004, true) == 0);
}

/* A slice of an array, another distance, another maker's number in the same entry. */
TEST(placement, other_copies_tell_nothing)
{
    char *array, *bytes;

    unit_start("");
    array = unit_block(PAGES);
    bytes = made_block(0x1004, 0);
    CHECK(!unit_copy(bytes + HEADER + page_size, array, SIZE - page_size));
    CHECK(!unit_copy(bytes + HEADER, array + 16, SIZE - 16));
    CHECK(!unit_copy(bytes + 16, array, SIZE));
    CHECK(!unit_copy(array + HEADER, bytes, SIZE - HEADER));
    CHECK(unknown(0x1004));
    CHECK(!unit_copy(bytes + HEADER, array, SIZE));
    CHECK(unknown(0x1004 + 256 * 4) && known_to_lead(0x1004));
}

/* The page of the header is the allocator's as well, and never one that shows a store. */
TEST(placement, the_header_stays_where_it_is)
{
    char *array, *bytes, *moved;

    unit_start("");
    array = unit_block(PAGES);
    unit_fill(array, SIZE, 1);
    bytes = made_block(0x1004, HEADER);
    moved = made_block(0x1004, HEADER);
    memset(bytes - 64, 2, 64 + HEADER);
    memset(moved - 64, 3, 64);
    CHECK(unit_copy(bytes + HEADER, array, SIZE));
    CHECK(unit_all(bytes - 64, 64 + HEADER, 2) && unit_holds(bytes + HEADER, SIZE, 1));
    engine_move(moved, bytes, SIZE + HEADER);
    CHECK(unit_all(bytes - 64, 64, 2) && unit_all(moved - 64, 64, 3));
    CHECK(unit_all(moved, HEADER, 2) && unit_holds(moved + HEADER, SIZE, 1));
    CHECK_EQ(private_pages(moved + HEADER, PAGES), 0);
}

/* Cut short to less than the header before. */
TEST(placement, a_move_of_less_than_the_header_moves_that_alone)
{
    char *bytes, *moved;

    unit_start("");
    bytes = made_block(0x1004, HEADER);
    moved = made_block(0x1004, HEADER);
    memset(bytes - 64, 1, 64 + SIZE);
    memset(moved - 64, 2, 64 + SIZE);
    engine_move(moved, bytes, 10);
    CHECK(unit_all(moved - 64, 64, 2) && unit_all(moved, 10, 1) && unit_all(moved + 10, SIZE - 10, 2));
}
