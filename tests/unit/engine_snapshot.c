/* SPDX-License-Identifier: MIT */
/* The copy: whatever source and target were before, the target holds what the source holds, nothing around them changes, and what
   can be shared is shared, by the kernel's own account. */
#include <string.h>

#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine_unit.h"

#define PAGES 160 /* a hole in patchwork is then longer than the holes that are sealed with their neighbours */

static const char *const state_names[STATES] = {"holes", "private", "a view", "patchwork", "an island"};

/* What of the source is copied to where, in bytes that are added to whole pages. */
struct shape {
    const char *name;
    size_t from_page, to_page, pages;
    long head, tail; /* bytes more at either end; negative: less */
};

static const struct shape shapes[] = {
    {"all", 0, 0, PAGES, 0, 0},
    {"all but the edges of both end pages", 0, 0, PAGES, -100, -777},
    {"whole pages in the middle", 17, 17, 100, 0, 0},
    {"other pages, and some bytes more at either end", 30, 5, 120, 9, 4095},
};

struct side {
    char *block, *shadow;
    enum state state;
};

struct copy {
    struct side source, target;
    const struct shape *shape;
    size_t from, to, size; /* bytes */
};

static void complain(const struct copy *copy, const char *what)
{
    UNIT_FAIL("%s, from %s to %s: %s", copy->shape->name, state_names[copy->source.state], state_names[copy->target.state], what);
}

static void expect_bytes(const struct copy *copy, const struct side *side, size_t pages, const char *what)
{
    if (memcmp(side->block, side->shadow, pages * page_size) != 0)
        complain(copy, what);
}

/* Pages of the source's long hole, as far as whole pages of it are copied, that the target has memory for. */
static size_t hole_pages_touched(const struct copy *copy)
{
    size_t first, count = long_hole(copy->source.state, PAGES, &first), last = first + count;
    size_t from = copy->shape->from_page + 1, to = copy->shape->from_page + copy->shape->pages - 1;

    first = first < from ? from : first;
    last = last > to ? to : last;
    if (first >= last)
        return 0;
    return touched_pages(copy->target.block + (first - copy->shape->from_page + copy->shape->to_page) * page_size, last - first);
}

/* Of the whole pages in the copy, so that the edges do not count. */
static void expect_shared(const struct copy *copy)
{
    const struct shape *shape = copy->shape;
    const char *source = copy->source.block + (shape->from_page + 1) * page_size;
    const char *target = copy->target.block + (shape->to_page + 1) * page_size;
    size_t scattered = scattered_pages(copy->source.state);

    if (private_pages(source, shape->pages - 2) > scattered)
        complain(copy, "the source is not sealed");
    if (private_pages(target, shape->pages - 2) > scattered)
        complain(copy, "the target has pages of its own");
    if (hole_pages_touched(copy) > 0)
        complain(copy, "zero memory of the source became memory of the target");
}

static void go(struct copy *copy)
{
    const struct shape *shape = copy->shape;

    copy->from = shape->from_page * page_size - (size_t)shape->head;
    copy->to = shape->to_page * page_size - (size_t)shape->head;
    copy->size = shape->pages * page_size + (size_t)(shape->head + shape->tail);
    if (!unit_copy(copy->target.block + copy->to, copy->source.block + copy->from, copy->size))
        complain(copy, "declined");
    memcpy(copy->target.shadow + copy->to, copy->source.shadow + copy->from, copy->size);
    expect_shared(copy);
}

/* Later writes to one are not seen in the other. */
static void expect_independent(const struct copy *copy)
{
    memset(copy->target.block + copy->to, 1, copy->size);
    memset(copy->target.shadow + copy->to, 1, copy->size);
    expect_bytes(copy, &copy->source, PAGES, "writing the target changed the source");
    memset(copy->source.block + copy->from, 2, copy->size);
    expect_bytes(copy, &copy->target, PAGES, "writing the source changed the target");
}

static void try_states(enum state from, enum state to, const struct shape *shape)
{
    static char *shadows[2];
    struct copy copy = {.shape = shape};

    for (int i = 0; i < 2; i++)
        if (shadows[i] == NULL)
            shadows[i] = unit_map(PAGES * page_size);
    copy.source = (struct side){unit_block(PAGES), shadows[0], from};
    copy.target = (struct side){unit_block(PAGES), shadows[1], to};
    bring_into(from, copy.source.block, PAGES, 1, copy.source.shadow);
    bring_into(to, copy.target.block, PAGES, 7, copy.target.shadow);
    go(&copy);
    expect_bytes(&copy, &copy.source, PAGES, "the source changed");
    expect_bytes(&copy, &copy.target, PAGES, "the target is wrong");
    expect_independent(&copy);
    unit_remove(copy.source.block);
    unit_remove(copy.target.block);
}

static void try_all(const char *internal)
{
    unit_start(internal);
    unit_alone();
    for (enum state from = 0; from < STATES; from++)
        for (enum state to = 0; to < STATES; to++)
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                try_states(from, to, &shapes[i]);
    CHECK_EQ(extent_count(), 0);
    CHECK_EQ(stores_open(), 0);
}

TEST(snapshot, any_state_of_source_and_target)
{
    try_all("");
}

TEST(snapshot, any_state_with_userfaultfd_holding_writers)
{
    try_all("guard-always");
}

TEST(snapshot, any_state_with_mprotect_holding_writers)
{
    try_all("guard-always,uffd-off");
}

TEST(snapshot, any_state_on_an_old_kernel)
{
    try_all("scan-off,vma-off,uffd-off,tmpfs-off");
}

/* Source and target are neighbours in one block: its extents are split and joined while they are walked. */
static void try_halves(enum state low, enum state high, bool down)
{
    char *block = unit_block(2 * PAGES), *shadow = unit_map(2 * PAGES * page_size);
    size_t size = PAGES * page_size;
    struct copy copy = {.shape = &shapes[0]};

    bring_into(low, block, PAGES, 1, shadow);
    bring_into(high, block + size, PAGES, 7, shadow + size);
    copy.source = (struct side){block + (down ? size : 0), shadow + (down ? size : 0), down ? high : low};
    copy.target = (struct side){block + (down ? 0 : size), shadow + (down ? 0 : size), down ? low : high};
    go(&copy);
    expect_bytes(&copy, &(struct side){block, shadow, low}, 2 * PAGES, "a copy inside a block is wrong");
    expect_independent(&copy);
    unit_remove(block);
}

TEST(snapshot, from_one_half_of_a_block_to_the_other)
{
    unit_start("");
    for (enum state low = 0; low < STATES; low++)
        for (enum state high = 0; high < STATES; high++)
            for (int down = 0; down < 2; down++)
                try_halves(low, high, down);
    CHECK_EQ(extent_count(), 0);
}

/* The last and the first whole page of what is copied are shared; the bytes beside them are not even read into the target. */
TEST(snapshot, edges_are_copied_and_their_neighbours_kept)
{
    size_t size = 64 * page_size;
    char *a, *b;

    unit_start("");
    for (size_t head = 1; head < page_size; head += 511)
        for (size_t tail = 1; tail < page_size; tail += 1023) {
            a = unit_block(64);
            b = unit_block(64);
            unit_fill(a, size, 1);
            memset(b, 9, size);
            CHECK(unit_copy(b + head, a + head, size - head - tail));
            CHECK_EQ(private_pages(b, 64), 2);
            CHECK_AT(unit_all(b, head, 9) && unit_all(b + size - tail, tail, 9), head);
            CHECK_AT(memcmp(b + head, a + head, size - head - tail) == 0, head);
            CHECK_AT(unit_holds(a, size, 1), head);
            unit_remove(a);
            unit_remove(b);
        }
}

/* Nothing changed since: no seal, no memory, and no more views than before. */
TEST(snapshot, a_copy_over_the_same_copy_costs_nothing)
{
    uint64_t sealed, allocated;
    size_t views;
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    views = extent_count();
    sealed = counter_read(COUNT_sealed_bytes);
    allocated = stores_allocated();
    for (int i = 0; i < 10; i++)
        CHECK(unit_copy(i % 2 ? a : b, i % 2 ? b : a, PAGES * page_size));
    CHECK_EQ(extent_count(), views);
    CHECK_EQ(counter_read(COUNT_sealed_bytes), sealed);
    CHECK_EQ(stores_allocated(), allocated);
    CHECK_EQ(private_pages(a, PAGES) + private_pages(b, PAGES), 0);
    CHECK(unit_holds(a, PAGES * page_size, 1) && unit_holds(b, PAGES * page_size, 1));
}

/* Of a target that still shows what the source shows only its own pages go: what was read stays mapped, if they are few.
   What the source has of its own is sealed as ever. */
TEST(snapshot, a_copy_over_a_changed_copy_gives_up_what_was_changed)
{
    unit_start("");
    for (size_t step = 2; step <= 20; step += 18) {
        size_t views, changed = 0;
        char *b, *a = sealed_block(PAGES, 1, &b);

        views = extent_count();
        for (size_t i = 1; i < PAGES; i += step, changed++)
            b[i * page_size] ^= 1;
        for (size_t i = 0; i < PAGES; i++)
            (void)*(volatile char *)(b + i * page_size);
        CHECK_EQ(private_pages(b, PAGES), changed);
        a[3 * page_size] ^= 2;
        b[3 * page_size] ^= 4;
        CHECK(unit_copy(b, a, PAGES * page_size));
        if (step == 20) /* all that was read, but for what was changed and the page that was sealed */
            CHECK_EQ(touched_pages(b, PAGES), PAGES - changed - 1);
        CHECK(memcmp(a, b, PAGES * page_size) == 0);
        CHECK_EQ(extent_count(), views + 4);
        CHECK_EQ(private_pages(b, PAGES), 0);
        a[3 * page_size] ^= 2;
        b[3 * page_size] ^= 2;
        CHECK(unit_holds(a, PAGES * page_size, 1) && unit_holds(b, PAGES * page_size, 1));
        unit_remove(a);
        unit_remove(b);
    }
}

#define CHAIN 12

/* Copies of copies, each with a change of its own; the original goes first. Memory is one array and the changes. */
TEST(snapshot, a_chain_of_copies_shares_all_but_the_changes)
{
    size_t size = 1024 * page_size, change = 16 * page_size;
    char *copy[CHAIN], *first;
    uint64_t pages = 0;

    unit_start("");
    first = unit_block(1024);
    unit_fill(first, size, 1);
    for (size_t i = 0; i < CHAIN; i++) {
        copy[i] = unit_block(1024);
        CHECK(unit_copy(copy[i], i == 0 ? first : copy[i - 1], size));
        memset(copy[i] + 4 * i * change, (int)i, change);
    }
    unit_remove(first);
    for (size_t i = 0; i < CHAIN; i++)
        pages += private_pages(copy[i], 1024);
    CHECK(stores_allocated() / page_size + pages <= 1024 + 2 * CHAIN * 16); /* a change, and its image where it was copied on */
    unit_fill(first, size, 1); /* no block any more: what all of them hold where nothing was changed */
    for (size_t i = 0; i < CHAIN; i++) {
        for (size_t j = 0; j <= i; j++)
            memset(first + 4 * j * change, (int)j, change);
        CHECK_AT(memcmp(copy[i], first, size) == 0, i);
    }
}

#define GENERATIONS 40
#define CHANGES 8

/* The scattered pages that are private in one copy are copied into the next, and are private there. What that costs adds up along
   the chain, and once it is as much as sealing anew, that is done. */
TEST(snapshot, a_chain_does_not_carry_scattered_pages_for_ever)
{
    size_t pages = 1024, size = pages * page_size, most = 0;
    char *shadow, *next, *now;

    unit_start("");
    shadow = unit_block(pages);
    now = unit_block(pages);
    unit_fill(shadow, size, 1);
    unit_fill(now, size, 1);
    for (size_t i = 0; i < GENERATIONS; i++) {
        next = unit_block(pages);
        CHECK_AT(unit_copy(next, now, size), i);
        unit_remove(now);
        now = next;
        for (size_t j = i * CHANGES; j < (i + 1) * CHANGES; j++)
            now[j * 13 % pages * page_size] = shadow[j * 13 % pages * page_size] = (char)i;
        if (private_pages(now, pages) > most)
            most = private_pages(now, pages);
    }
    CHECK(most < GENERATIONS * CHANGES / 2);
    CHECK(memcmp(now, shadow, size) == 0);
}
