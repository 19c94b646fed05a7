/* SPDX-License-Identifier: MIT */
/* What to share, for costs and histories that are given: no machine's. */
#include <string.h>

#include "engine/policy/judge.h"
#include "unit.h"
#include "unit_costs.h"

#define PAGES 2048
#define ALL (~UINT64_C(0))
#define TENTH UINT64_C(0x3f) /* slices */

static struct facts facts_for(enum config_policy policy)
{
    return (struct facts){.policy = policy, .pages = PAGES};
}

/* Of which these slices are always rewritten, by so much. */
static struct history history_of(uint64_t rewritten, uint16_t share)
{
    struct history history = {.fates = 8, .changes = 8};

    for (unsigned i = 0; i < SLICES; i++)
        history.target.slice[i] = rewritten >> i & 1 ? share : 0;
    return history;
}

static uint64_t shared(const struct facts *facts, const struct history *history)
{
    return judge_slices(facts, &costs, history, history).shared;
}

TEST(judge, slices_cover_every_page_once)
{
    for (size_t pages = 1; pages < 5000; pages += pages < 600 ? 1 : 97) {
        unsigned count = slice_count(pages);

        CHECK_AT(count >= 1 && count <= SLICES, pages);
        CHECK_EQ(slice_start(pages, 0), 0);
        CHECK_EQ(slice_start(pages, count), pages);
        for (unsigned i = 0; i < count; i++)
            for (size_t page = slice_start(pages, i); page < slice_start(pages, i + 1); page++)
                CHECK_AT(slice_of(pages, page) == i, page);
    }
}

TEST(judge, what_is_rewritten_is_plain_and_what_is_kept_is_shared)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    struct history head = history_of(TENTH, SHARE_ONE), middle = history_of(UINT64_C(0xff) << 28, SHARE_ONE);

    CHECK_EQ(shared(&facts, &head), ALL & ~TENTH);
    CHECK_EQ(shared(&facts, &middle), ALL & ~(UINT64_C(0xff) << 28));
    head = history_of(0, 0);
    CHECK_EQ(shared(&facts, &head), ALL);
    head = history_of(ALL, SHARE_ONE);
    CHECK_EQ(shared(&facts, &head), 0);
}

/* A plain copy reads its source. Where that shows a store which nobody read yet, each page costs a fault. */
TEST(judge, reading_a_source_that_shows_a_store_is_no_plain_copys_gift)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    struct history history = history_of(ALL, SHARE_ONE / 20);
    struct costs dear = costs;

    facts.filled = ALL;
    dear.read = 8000;
    CHECK_EQ(judge_slices(&facts, &dear, &history, NULL).shared, 0);
    facts.unread = ALL;
    CHECK_EQ(judge_slices(&facts, &dear, &history, NULL).shared, ALL);
    history.read = SHARE_ONE; /* programs read such copies themselves */
    CHECK_EQ(judge_slices(&facts, &dear, &history, NULL).shared, 0);
}

/* A page in each of many slices is enough, where a fault costs more than the slice. */
TEST(judge, scattered_writes_into_memory_in_use_are_not_worth_it)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    struct history scattered = history_of(ALL, SHARE_ONE / 10), rare = history_of(ALL, SHARE_ONE / 1000);

    CHECK_EQ(shared(&facts, &scattered), 0);
    CHECK_EQ(shared(&facts, &rare), ALL);
    facts.fresh = true; /* there a plain copy faults as well */
    CHECK_EQ(shared(&facts, &scattered), ALL);
}

TEST(judge, parts_of_the_source_that_always_change_are_not_sealed_again)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    uint32_t private_pages[SLICES] = {0};
    struct history history = history_of(0, 0);

    for (unsigned i = 0; i < 6; i++) {
        history.source.slice[i] = SHARE_ONE;
        private_pages[i] = PAGES / SLICES;
    }
    facts.private_pages = private_pages;
    CHECK_EQ(shared(&facts, &history), ALL & ~TENTH);
}

/* A mapping costs as much as some pages: a hole of one slice is closed, one shared slice in the middle is not worth it. */
TEST(judge, decisions_of_neighbours_merge)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    struct history hole = history_of(UINT64_C(1) << 20, SHARE_ONE / 64), island = history_of(~(UINT64_C(1) << 20), SHARE_ONE);

    CHECK_EQ(shared(&facts, &hole), ALL);
    facts.filled = ALL;
    CHECK_EQ(shared(&facts, &island), 0);
}

TEST(judge, of_the_unknown_memory_comes_first_within_the_purse)
{
    struct facts facts = facts_for(POLICY_BALANCED);

    facts.filled = ALL;
    CHECK_EQ(shared(&facts, NULL), 0);
    facts.purse = 20000000;
    CHECK_EQ(shared(&facts, NULL), ALL);
    facts.purse = 0;
    facts.filled = 0;
    facts.fresh = true;
    CHECK_EQ(shared(&facts, NULL), ALL);
}

TEST(judge, speed_needs_to_know_and_memory_does_not)
{
    struct facts facts = facts_for(POLICY_SPEED);
    struct history head = history_of(TENTH, SHARE_ONE), rewriter = history_of(ALL, SHARE_ONE);

    facts.purse = INT64_MAX / 2;
    facts.fresh = true;
    CHECK_EQ(shared(&facts, NULL), 0);
    CHECK_EQ(shared(&facts, &head), ALL & ~TENTH);
    facts.policy = POLICY_MEMORY;
    CHECK_EQ(shared(&facts, &rewriter), ALL);
    facts.pages = 100;
    CHECK_EQ(shared(&facts, &rewriter), (UINT64_C(1) << 25) - 1);
}

/* More rewriting, or a dearer fault, never turns plain into shared. */
TEST(judge, decisions_are_monotonous_in_what_was_rewritten)
{
    for (int bits = 0; bits < 4; bits++) {
        bool before = true;

        for (unsigned rewritten = 0; rewritten <= SHARE_ONE; rewritten += SHARE_ONE / 64) {
            struct facts facts = facts_for(bits & 1 ? POLICY_SPEED : POLICY_BALANCED);
            struct history history = history_of(ALL, (uint16_t)rewritten);
            bool shares;

            facts.fresh = (bits & 2) != 0;
            shares = shared(&facts, &history) != 0;
            CHECK_AT(before || !shares, rewritten);
            before = shares;
        }
        CHECK(!before);
    }
}

/* The price of a plain copy is the one that was measured at its place, whatever it is elsewhere. */
TEST(judge, a_place_has_a_price_of_its_own)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    struct history history = history_of(ALL, SHARE_ONE / 16);

    facts.filled = ALL;
    CHECK_EQ(shared(&facts, &history), 0);
    history_learn_plain(&history, 50 * costs.copy, 50 * costs.copy);
    CHECK_EQ(shared(&facts, &history), ALL);
    for (int i = 0; i < 40; i++)
        history_learn_plain(&history, costs.copy, 50 * costs.copy);
    CHECK_EQ(shared(&facts, &history), 0);
}

TEST(judge, no_price_is_believed_that_cannot_be)
{
    struct history history = history_of(0, 0);

    for (int i = 0; i < 40; i++)
        history_learn_plain(&history, UINT32_MAX, 1000);
    CHECK_AT(history.plain >= 1000 && history.plain < 1010, history.plain);
}

/* A target that shows what a copy of another range put there has no pages: they would have to be made at each plain copy. */
TEST(judge, what_covers_another_copy_is_shared_with_it)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    struct history history = history_of(ALL, SHARE_ONE / 16);

    CHECK_EQ(shared(&facts, &history), 0);
    facts.covered = true;
    CHECK_EQ(shared(&facts, &history), ALL);
}

/* Where it failed lately it waits; but not where stopping would cost more than it lost. */
TEST(judge, debts_are_paid_before_more_is_lost)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    struct history history = history_of(0, 0);

    history.debt = 1000;
    CHECK_EQ(shared(&facts, &history), ALL);
    facts.filled = ALL;
    CHECK_EQ(shared(&facts, &history), 0);
    history.debt = 0;
    CHECK_EQ(shared(&facts, &history), ALL);
}

TEST(judge, when_memory_is_short_time_does_not_count)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    struct history scattered = history_of(ALL, SHARE_ONE / 10);

    facts.filled = ALL;
    scattered.debt = 1000000;
    CHECK_EQ(shared(&facts, &scattered), 0);
    facts.purse = PURSE_OPEN;
    CHECK_EQ(shared(&facts, &scattered), ALL);
}
