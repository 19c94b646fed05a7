/* SPDX-License-Identifier: MIT */
/* The policy as what it is: a pure function. Nothing here asks the kernel, and no number of policy.c is repeated: what is
   checked is what DESIGN section 8 promises of each policy. */
#include "engine/policy/policy.h"
#include "unit.h"

/* A copy of 400 MiB in 4 KiB pages that a program fills and copies the first time. */
static const struct facts first_copy = {
    .policy = POLICY_BALANCED, .pages = 102400, .private_pages = 102400,
};

static struct facts facts_for(enum config_policy policy)
{
    struct facts facts = first_copy;

    facts.policy = policy;
    return facts;
}

/* What `times` copies in a row taught that kept all but `rewritten` of their pages. */
static struct record taught(unsigned rewritten, unsigned times)
{
    struct record record = {0};

    while (times-- > 0)
        policy_learn(&record, rewritten);
    return record;
}

#define KEPT 0u
#define TENTH (SHARE_ONE / 10)
#define ALL SHARE_ONE

struct row {
    const char *what;
    enum config_policy policy;
    unsigned rewritten, times; /* fates known of this place */
    size_t private_pages;
    unsigned source_changes;
    bool shares;
};

static const struct row rows[] = {
    {"nothing is known: memory first", POLICY_BALANCED, 0, 0, 102400, 0, true},
    {"nothing is known, the source is clean", POLICY_BALANCED, 0, 0, 0, 0, true},
    {"copies keep everything", POLICY_BALANCED, KEPT, 8, 102400, 0, true},
    {"copies keep nine tenths, as in the article", POLICY_BALANCED, TENTH, 8, 102400, TENTH, true},
    {"copies keep nine tenths, the source is clean", POLICY_BALANCED, TENTH, 8, 0, 0, true},
    {"copies are rewritten whole (sort, median)", POLICY_BALANCED, ALL, 8, 102400, 0, false},
    {"copies and source are rewritten whole", POLICY_BALANCED, ALL, 8, 102400, ALL, false},

    {"speed: nothing is known", POLICY_SPEED, 0, 0, 102400, 0, false},
    {"speed: the source is clean and copies keep everything", POLICY_SPEED, KEPT, 8, 0, 0, true},
    {"speed: a tenth changes between copies that are kept", POLICY_SPEED, KEPT, 8, 10240, TENTH, true},
    {"speed: copies are rewritten whole", POLICY_SPEED, ALL, 8, 102400, 0, false},
    {"speed: copies and source are rewritten whole", POLICY_SPEED, ALL, 8, 102400, ALL, false},

    {"memory: nothing is known", POLICY_MEMORY, 0, 0, 102400, 0, true},
    {"memory: copies are rewritten whole", POLICY_MEMORY, ALL, 8, 102400, 0, true},
    {"memory: copies and source are rewritten whole", POLICY_MEMORY, ALL, 100, 102400, ALL, true},
};

TEST(policy, each_policy_decides_as_designed)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct record record = taught(row->rewritten, row->times);
        struct facts facts = facts_for(row->policy);

        facts.private_pages = row->private_pages;
        facts.source_changes = row->source_changes;
        if (policy_shares(&facts, &record) != row->shares)
            UNIT_FAIL("%s: %s", row->what, row->shares ? "must be shared" : "must not be shared");
    }
}

/* Whether one more fate of that kind would be decided so. */
static bool shares_now(enum config_policy policy, const struct record *record)
{
    struct facts facts = facts_for(policy);

    return policy_shares(&facts, record);
}

TEST(policy, a_rewriter_is_recognized_after_a_few_copies)
{
    for (unsigned kept = 0; kept <= 20; kept += 5) {
        struct record record = taught(KEPT, kept);
        unsigned copies = 0;

        while (shares_now(POLICY_BALANCED, &record) && copies < 10) {
            policy_learn(&record, ALL);
            copies++;
        }
        CHECK_AT(copies >= 1 && copies < 10, copies);
    }
}

/* It forgets slowly: one exception turns nothing, a new habit does. */
TEST(policy, one_exception_changes_nothing_and_a_new_habit_does)
{
    struct record keeper = taught(KEPT, 20), rewriter = taught(ALL, 20);
    unsigned copies = 1;

    policy_learn(&keeper, ALL);
    CHECK(shares_now(POLICY_BALANCED, &keeper));
    policy_learn(&rewriter, KEPT);
    CHECK(!shares_now(POLICY_BALANCED, &rewriter));
    while (!shares_now(POLICY_BALANCED, &rewriter) && copies < 20) {
        policy_learn(&rewriter, KEPT);
        copies++;
    }
    CHECK_AT(copies > 1 && copies < 20, copies);
}

/* The number of copies declined before the next one is shared; each fate is what the rewriter does. */
static unsigned declined_before_next_try_of(const struct facts *facts, struct record *record)
{
    unsigned declined = 0;

    while (!policy_shares(facts, record)) {
        policy_note(record, false);
        declined++;
        CHECK_AT(declined < 100000, declined);
    }
    policy_note(record, true);
    return declined;
}

static unsigned declined_before_next_try(struct record *record)
{
    struct facts facts = facts_for(POLICY_BALANCED);

    return declined_before_next_try_of(&facts, record);
}

TEST(policy, a_rewriter_is_tried_again_ever_more_rarely_but_always_again)
{
    struct record record = taught(ALL, 8);
    unsigned first = declined_before_next_try(&record);
    unsigned before = first, longest = first;

    CHECK(first >= 8); /* a try costs several plain copies */
    for (int i = 0; i < 30; i++) {
        unsigned declined;

        policy_learn(&record, ALL);
        declined = declined_before_next_try(&record);
        CHECK_AT(declined >= before, i);
        before = declined;
        longest = declined > longest ? declined : longest;
    }
    CHECK(longest > first);
    CHECK(longest <= 10000); /* bounded: a program that changes its habits is found out */
}

/* What a lost try costs is a small part of what was copied since the last one, however cheap the plain copies are. */
TEST(policy, the_cheaper_a_plain_copy_the_rarer_a_try)
{
    struct facts facts = facts_for(POLICY_BALANCED);
    struct record record = taught(ALL, 8);
    unsigned small = declined_before_next_try_of(&facts, &record);
    unsigned huge, touched;

    facts.target_huge = true;
    record = taught(ALL, 8);
    huge = declined_before_next_try_of(&facts, &record);
    facts.target_touched = true;
    record = taught(ALL, 8);
    touched = declined_before_next_try_of(&facts, &record);
    CHECK(huge >= 2 * small);
    CHECK(touched >= huge + small);
    CHECK(touched <= 20 * small);
}

TEST(policy, a_try_that_pays_off_makes_the_next_one_come_soon_again)
{
    struct record record = taught(ALL, 8);
    unsigned first = declined_before_next_try(&record);

    for (int i = 0; i < 10; i++) {
        policy_learn(&record, ALL);
        declined_before_next_try(&record);
    }
    policy_learn(&record, KEPT);
    for (int i = 0; i < 8; i++)
        policy_learn(&record, ALL);
    CHECK_EQ(declined_before_next_try(&record), first);
}

TEST(policy, memory_never_declines_and_speed_never_begins)
{
    for (unsigned rewritten = 0; rewritten <= ALL; rewritten += TENTH) {
        struct record record = taught(rewritten, 8);
        struct record nothing = {0};

        for (size_t part = 0; part <= 4; part++) {
            struct facts facts = facts_for(POLICY_MEMORY);

            facts.private_pages = facts.pages * part / 4;
            facts.source_changes = rewritten;
            facts.target_huge = part % 2 == 1;
            facts.target_touched = part == 3;
            CHECK_AT(policy_shares(&facts, &record), rewritten);
            facts.policy = POLICY_SPEED;
            facts.source_changes = 0;
            CHECK_AT(!policy_shares(&facts, &nothing), part);
        }
    }
}

/* More rewriting never turns a refusal into sharing, for any source and target. */
TEST(policy, decisions_are_monotonous_in_what_was_rewritten)
{
    for (unsigned bits = 0; bits < 16; bits++)
        for (size_t part = 0; part <= 8; part++) {
            bool before = true;

            for (unsigned rewritten = 0; rewritten <= ALL; rewritten += SHARE_ONE / 64) {
                struct facts facts = facts_for(bits & 1 ? POLICY_SPEED : POLICY_BALANCED);
                struct record record = taught(rewritten, 1);
                bool shares;

                facts.private_pages = facts.pages * part / 8;
                facts.target_huge = bits & 2;
                facts.target_touched = bits & 4;
                facts.huge_store = bits & 8;
                shares = policy_shares(&facts, &record);
                CHECK_AT(before || !shares, rewritten);
                before = shares;
            }
        }
}

TEST(policy, means_stay_in_range_and_reach_what_repeats)
{
    unsigned mean = 0;

    for (unsigned i = 0; i < 40; i++) {
        unsigned next = policy_mean(mean, ALL);

        CHECK_AT(next >= mean && next <= ALL, i);
        mean = next;
    }
    CHECK(mean >= ALL - 2);
    for (unsigned i = 0; i < 40; i++) {
        unsigned next = policy_mean(mean, 0);

        CHECK_AT(next <= mean, i);
        mean = next;
    }
    CHECK(mean <= 2);
    CHECK_EQ(policy_mean(TENTH, TENTH), TENTH);
}

/* A block whose scattered pages are copied again and again is sealed anew before copying has cost more than twice that. */
TEST(policy, consolidation_comes_once_copying_has_cost_as_much)
{
    for (int huge = 0; huge < 2; huge++) {
        size_t pages = 100000, copied = 0;

        CHECK(!policy_consolidates(pages, 0, huge));
        CHECK(!policy_consolidates(pages, 1, huge));
        while (!policy_consolidates(pages, copied, huge))
            copied += 100;
        CHECK_AT(copied <= 2 * pages, copied);
        CHECK(policy_consolidates(pages, copied + 1, huge));
        CHECK(!policy_consolidates(4 * pages, copied, huge));
    }
}
