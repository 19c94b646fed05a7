/* SPDX-License-Identifier: MIT */
/* The policy learns: pure, with costs and clocks of the tests'. */
#include <string.h>

#include "engine/policy/policy.h"
#include "unit.h"
#include "unit_costs.h"

#define PAGES 2048
#define SIZE ((size_t)PAGES * 4096)
#define ALL (~UINT64_C(0))
#define MS INT64_C(1000000)

static struct policy policy;
static uint64_t clock_ns = 1000 * MS;

static struct fate fate_of_slices(uint64_t rewritten)
{
    struct fate fate = {.read = 0};

    for (unsigned i = 0; i < SLICES; i++)
        fate.written[i] = rewritten >> i & 1 ? SHARE_ONE : 0;
    return fate;
}

static struct origin origin_of(unsigned caller, unsigned source)
{
    return policy_origin(0x400000 + caller * 64, 0x7f0000000000 + (uintptr_t)source * SIZE, SIZE);
}

static uint64_t decide(const struct origin *origin, bool fresh)
{
    struct facts facts = {.policy = POLICY_BALANCED, .pages = PAGES, .fresh = fresh, .filled = fresh ? 0 : ALL};

    clock_ns += MS;
    facts.purse = policy_purse(&policy, origin, 0, clock_ns);
    return policy_decide(&policy, origin, &facts, &costs).shared;
}

static void learn(const struct origin *origin, uint64_t rewritten)
{
    struct fate fate = fate_of_slices(rewritten);

    policy_learn_copy(&policy, origin, &fate, 0, true);
}

TEST(policy, a_rewriter_is_known_after_one_copy)
{
    struct origin origin = origin_of(1, 1);

    CHECK_EQ(decide(&origin, true), ALL);
    learn(&origin, ALL);
    CHECK_EQ(decide(&origin, false), 0);
}

TEST(policy, one_exception_changes_little_and_a_new_habit_much)
{
    struct origin origin = origin_of(1, 1);

    for (int i = 0; i < 8; i++)
        learn(&origin, ALL);
    learn(&origin, 0);
    CHECK_EQ(decide(&origin, false), 0);
    for (int i = 0; i < 40; i++)
        learn(&origin, 0);
    CHECK_EQ(decide(&origin, false), ALL);
}

/* A solver that works on one part of its array after the other: no slice is expected to be rewritten because it was the last time. */
TEST(policy, a_window_that_moves_is_shared_everywhere)
{
    struct origin origin = origin_of(1, 1);
    unsigned missed = 0;

    for (unsigned i = 0; i < 40; i++) {
        if (i > 1)
            missed += decide(&origin, false) != ALL;
        learn(&origin, UINT64_C(1) << (i * 19 % SLICES));
    }
    CHECK_AT(missed <= 2, missed);
}

/* The same, once it works on the same part every time; and back. */
TEST(policy, a_window_that_stands_still_becomes_plain)
{
    struct origin origin = origin_of(1, 1);

    for (unsigned i = 0; i < 20; i++)
        learn(&origin, UINT64_C(1) << i);
    for (unsigned i = 0; i < 8; i++)
        learn(&origin, UINT64_C(0xff));
    CHECK_EQ(decide(&origin, false), ALL & ~UINT64_C(0xff));
    for (unsigned i = 0; i < 20; i++)
        learn(&origin, UINT64_C(1) << (i * 19 % SLICES));
    CHECK_EQ(decide(&origin, false), ALL);
}

/* One line sorts the copies of its array, another one keeps those of another array, and both go through one place of a library. */
TEST(policy, one_source_does_not_spoil_anothers_copies)
{
    struct origin sorter = origin_of(1, 1), keeper = origin_of(1, 2);

    learn(&keeper, 0);
    for (int i = 0; i < 20; i++)
        learn(&sorter, ALL);
    CHECK_EQ(decide(&sorter, false), 0);
    CHECK_EQ(decide(&keeper, false), ALL);
}

TEST(policy, a_new_source_is_judged_by_its_place)
{
    struct origin known = origin_of(1, 1), same_place = origin_of(1, 7), other_place = origin_of(2, 7);

    for (int i = 0; i < 4; i++)
        learn(&known, ALL);
    CHECK_EQ(decide(&same_place, false), 0);
    CHECK_EQ(decide(&other_place, true), ALL); /* of which nothing is known */
}

/* A sample of what is copied plainly says that it is not rewritten any more: it is tried again. */
TEST(policy, pages_that_are_kept_where_writes_were_expected_lead_to_a_try)
{
    struct origin origin = origin_of(1, 1);
    struct fate fate = fate_of_slices(0);
    unsigned copies = 0;

    for (int i = 0; i < 8; i++)
        learn(&origin, ALL);
    for (unsigned i = 4; i < SLICES; i++)
        fate.written[i] = SHARE_UNKNOWN;
    fate.sampled = 0xf;
    while (decide(&origin, false) == 0 && copies < 20) {
        policy_learn_copy(&policy, &origin, &fate, 0, false);
        copies++;
    }
    CHECK_AT(copies > 0 && copies < 4, copies);
}

TEST(policy, what_was_lost_wrongly_is_paid_by_time)
{
    struct origin origin = origin_of(1, 1);
    struct fate fate = fate_of_slices(0);
    unsigned copies = 0;

    learn(&origin, 0);
    CHECK_EQ(decide(&origin, false), ALL);
    policy_learn_copy(&policy, &origin, &fate, MS, true);
    while (decide(&origin, false) == 0 && copies < 100)
        copies++;
    CHECK_AT(copies >= 18 && copies <= 21, copies); /* a copy each millisecond */
}

/* What sharing won at a place may be lost there again. Then it is ruined, and is so until all is paid. */
TEST(policy, what_was_won_covers_losses_and_ruin_lasts)
{
    struct origin origin = origin_of(1, 1);
    struct fate kept = fate_of_slices(0);
    struct facts facts = {.policy = POLICY_BALANCED, .pages = PAGES};
    int64_t change = PAGES * costs.fill;

    policy_learn_copy(&policy, &origin, &kept, -20 * MS, false);
    CHECK_EQ(policy_decide(&policy, &origin, &facts, &costs).shared, ALL);
    policy_learn_copy(&policy, &origin, &kept, 10 * MS, true); /* half of what was won */
    CHECK_EQ(policy_decide(&policy, &origin, &facts, &costs).shared, ALL);
    policy_learn_copy(&policy, &origin, &kept, change + 1, true);
    CHECK_EQ(policy_decide(&policy, &origin, &facts, &costs).shared, 0);
    policy_learn_copy(&policy, &origin, &kept, -2, true); /* less than a change costs, but not nothing */
    CHECK_EQ(policy_decide(&policy, &origin, &facts, &costs).shared, 0);
    policy_learn_copy(&policy, &origin, &kept, -change, true);
    CHECK_EQ(policy_decide(&policy, &origin, &facts, &costs).shared, ALL);
}

TEST(policy, the_purse_is_a_gift_and_a_twentieth_of_processor_time)
{
    struct ledger ledger = {0, 0};

    CHECK_EQ(ledger_purse(&ledger, 0), 20 * MS);
    CHECK_EQ(ledger_purse(&ledger, 1000 * MS), 70 * MS);
    ledger_enter(&ledger, 60 * MS);
    CHECK_EQ(ledger_purse(&ledger, 1000 * MS), 10 * MS);
    ledger_enter(&ledger, -50 * MS);
    CHECK_EQ(ledger_purse(&ledger, 1000 * MS), 35 * MS);
    ledger_enter(&ledger, 60 * MS);
    CHECK_EQ(ledger_purse(&ledger, 1000 * MS), 0);
}

/* What an adversary can take: each copy rewrites exactly what was shared of it. */
TEST(policy, an_adversary_costs_a_bounded_part_of_the_time)
{
    struct origin origin = origin_of(1, 1);
    int64_t lost = 0;

    for (int i = 0; i < 1000; i++) {
        uint64_t shared = decide(&origin, false);
        struct fate fate = fate_of_slices(shared);
        int64_t cost = (int64_t)PAGES / SLICES * costs.fault * __builtin_popcountll(shared);

        policy_learn_copy(&policy, &origin, &fate, cost, i > 0);
        lost += cost;
    }
    CHECK_AT(lost <= 1000 * MS / 10, lost);
}

/* A block whose scattered pages are copied again and again is sealed anew before copying has cost more than twice that. */
TEST(policy, consolidation_comes_once_copying_has_cost_as_much)
{
    for (int huge = 0; huge < 2; huge++) {
        size_t pages = 100000, copied = 0;

        CHECK(!policy_consolidates(pages, 0, &costs, huge));
        while (!policy_consolidates(pages, copied, &costs, huge))
            copied += 100;
        CHECK_AT(copied <= 2 * pages, copied);
        CHECK(!policy_consolidates(4 * pages, copied, &costs, huge));
    }
}
