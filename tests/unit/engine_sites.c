/* SPDX-License-Identifier: MIT */
/* What the policy learns: the fate of a copy is told to the place that made it, once, when the copy ends. */
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine/policy/sites.h"
#include "engine_unit.h"

#define PAGES 512
#define PLACE ((const void *)(uintptr_t)0x5000)

TEST(sites, a_place_is_its_address_and_size_class)
{
    unsigned different = 0;

    unit_start("");
    for (uintptr_t caller = 0; caller < 1000; caller++) {
        unsigned site = site_of((const void *)caller, 1 << 20);

        CHECK_AT(site != 0, caller);
        CHECK_AT(site == site_of((const void *)caller, (1 << 20) + 4095), caller);
        CHECK_EQ(site_read(site).seen, 0); /* every number has a record */
        different += site != site_of((const void *)caller, 8 << 20);
        different += site != site_of((const void *)(caller + 5), 1 << 20);
    }
    CHECK(different > 1900);
    CHECK(site_of(NULL, 0) != 0);
}

static struct record record_of_place(void)
{
    return site_read(site_of(PLACE, PAGES * page_size));
}

/* A copy of which the first `written` pages are written before it ends by being freed. */
static void live(char *source, size_t written)
{
    char *copy = unit_block(PAGES);

    CHECK(unit_copy_by(copy, source, PAGES * page_size, PLACE));
    memset(copy, 1, written * page_size);
    unit_remove(copy);
}

static char *source(void)
{
    char *block;

    unit_start("");
    block = unit_block(PAGES);
    unit_fill(block, PAGES * page_size, 1);
    return block;
}

TEST(sites, a_freed_copy_teaches_how_much_of_it_was_rewritten)
{
    static const size_t written[] = {0, PAGES / 4, PAGES / 2, PAGES};

    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        struct record record;
        long expected = (long)(written[i] * SHARE_ONE / PAGES);
        char *block = source();

        for (unsigned n = 1; n <= 20; n++) {
            live(block, written[i]);
            CHECK_EQ(record_of_place().seen, i * 20 + n);
        }
        record = record_of_place();
        CHECK_AT(labs((long)record.rewritten - expected) <= (long)SHARE_ONE / 16, record.rewritten);
        unit_remove(block);
    }
}

TEST(sites, a_copy_that_is_copied_over_has_ended_too)
{
    char *block = source(), *copy = unit_block(PAGES);

    CHECK(unit_copy_by(copy, block, PAGES * page_size, PLACE));
    memset(copy, 1, PAGES * page_size);
    CHECK_EQ(record_of_place().seen, 0);
    CHECK(unit_copy_by(copy, block, PAGES * page_size, PLACE));
    CHECK_EQ(record_of_place().seen, 1);
    CHECK_EQ(record_of_place().rewritten, SHARE_ONE);
}

/* Its views are gone without a fault: that cost nothing, and says nothing of copies that are written byte by byte. */
TEST(sites, a_copy_that_was_overwritten_through_us_teaches_nothing)
{
    char *block = source(), *copy = unit_block(PAGES);

    CHECK(unit_copy_by(copy, block, PAGES * page_size, PLACE));
    if (!engine_fill(copy, 7, PAGES * page_size))
        memset(copy, 7, PAGES * page_size);
    unit_remove(copy);
    CHECK_EQ(record_of_place().seen, 0);
}

TEST(sites, a_fate_is_told_once)
{
    char *block = source(), *copy = unit_block(PAGES);
    struct block *record = block_at(copy);

    CHECK(unit_copy_by(copy, block, PAGES * page_size, PLACE));
    lock_take(&record->lock);
    site_fate(record);
    site_fate(record);
    lock_drop(&record->lock);
    CHECK_EQ(record_of_place().seen, 1);
    unit_remove(copy);
    CHECK_EQ(record_of_place().seen, 1);
}

/* From here to the decision: a place where copies and sources are all rewritten stops sharing; another place goes on; and sharing
   is tried again, and kept where it pays. */
TEST(sites, a_rewriting_place_stops_sharing_and_others_go_on)
{
    size_t size = PAGES * page_size;
    unsigned shared = 0, later = 0;
    char *block, *copy;

    setenv("COWSHIM_POLICY", "balanced", 1);
    block = source();
    for (int i = 0; i < 200; i++) {
        copy = unit_block(PAGES);
        memset(block, i, size);
        shared += unit_copy_by(copy, block, size, PLACE);
        memset(copy, i, size);
        unit_remove(copy);
    }
    CHECK_AT(shared >= 2 && shared <= 40, shared); /* the first ones, and tries */
    CHECK(reason_copies(REASON_unlikely) == 200 - shared);
    block = unit_block(PAGES);
    memset(block, 1, size);
    copy = unit_block(PAGES);
    CHECK(unit_copy_by(copy, block, size, (const char *)PLACE + 64));
    unit_remove(copy);
    for (int i = 0; i < 2000; i++) { /* a new habit of the old place */
        copy = unit_block(PAGES);
        later = unit_copy_by(copy, block, size, PLACE) ? later + 1 : 0;
        unit_remove(copy);
    }
    CHECK_AT(later > 500, later); /* at the end all of them */
}

/* A source of many runs, which would take many calls to list: where the answer is known to be no, nobody asks. */
TEST(sites, where_copies_do_not_pay_the_source_is_not_looked_at)
{
    enum { SCATTERED = 8192 };
    size_t size = SCATTERED * page_size;
    unsigned site = site_of(PLACE, size);
    unsigned long calls;
    char *block, *copy;

    setenv("COWSHIM_POLICY", "balanced", 1);
    unit_start("");
    block = unit_block(SCATTERED);
    copy = unit_block(SCATTERED);
    for (size_t i = 0; i < SCATTERED; i += 2)
        block[i * page_size] = 1;
    site_learn(site, SHARE_ONE);
    calls = sys_count();
    CHECK(!unit_copy_by(copy, block, size, PLACE));
    CHECK_EQ(reason_copies(REASON_unlikely), 1);
    CHECK_EQ(site_read(site).declined, 1);
    CHECK_AT(sys_count() - calls < 40, sys_count() - calls); /* 64 more list the runs */
}
