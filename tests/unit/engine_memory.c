/* SPDX-License-Identifier: MIT */
/* engine_memory_call: each promise that a memory call of the program makes holds on blocks that show stores. */
#include <string.h>
#include <sys/mman.h>

#include "base/thread.h"
#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine_unit.h"
#include "kernel/map.h"

#define PAGES 128
#define SIZE (PAGES * page_size)

static void call(char *start, size_t from, size_t pages, enum engine_memory_call kind)
{
    CHECK(engine_memory_call(start + from * page_size, pages * page_size, kind));
}

static bool shares(char *to, const char *from)
{
    bool shared = unit_copy(to, from, SIZE);

    CHECK(memcmp(to, from, SIZE) == 0);
    return shared;
}

TEST(memory, zeroed_ranges_read_as_zero_and_only_they)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    memset(b + 20 * page_size, 5, 4 * page_size); /* private pages of the view go, too */
    discard(b + 16 * page_size, 32);
    CHECK(unit_all(b + 16 * page_size, 32 * page_size, 0));
    CHECK(memcmp(b, a, 16 * page_size) == 0);
    CHECK(memcmp(b + 48 * page_size, a + 48 * page_size, 80 * page_size) == 0);
    CHECK(unit_holds(a, SIZE, 1));
    CHECK(shares(a, b));
}

/* What the program asks for need not be pages; only whole ones can be dropped. */
TEST(memory, an_unaligned_range_loses_no_byte_beside_it)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    CHECK(engine_memory_call(b + 10 * page_size + 100, 5 * page_size, MEMORY_ZERO));
    CHECK(memcmp(b, a, 11 * page_size) == 0);
    CHECK(unit_all(b + 11 * page_size, 4 * page_size, 0));
    CHECK(memcmp(b + 15 * page_size, a + 15 * page_size, 113 * page_size) == 0);
}

TEST(memory, freed_ranges_show_no_store_and_locked_ones_keep_their_contents)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    call(b, 0, 64, MEMORY_FREE);
    CHECK(store_at(b) == NULL && store_at(b + 64 * page_size) != NULL);
    CHECK(memcmp(b + 64 * page_size, a + 64 * page_size, 64 * page_size) == 0);
    call(a, 0, 1, MEMORY_EXCLUDE);
    call(a, 0, PAGES, MEMORY_FREE);
    CHECK(unit_holds(a, SIZE, 1));
}

TEST(memory, an_excluded_block_is_neither_source_nor_target_until_all_of_it_is_admitted)
{
    char *a, *b;

    unit_start("");
    a = unit_block(PAGES);
    b = unit_block(PAGES);
    memset(a, 1, SIZE);
    call(a, 3, 1, MEMORY_EXCLUDE);
    CHECK(!shares(b, a) && !shares(a, b));
    CHECK_EQ(reason_copies(REASON_excluded), 2);
    call(a, 0, PAGES / 2, MEMORY_ADMIT); /* the rest may still be protected */
    CHECK(!shares(b, a));
    call(a, 0, PAGES, MEMORY_ADMIT);
    CHECK(shares(b, a));
    CHECK(shares(a, b));
}

TEST(memory, pages_are_zero_before_the_kernel_is_asked_and_only_where_it_may_not_refuse)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    b[20 * page_size] = 5;
    CHECK(engine_zero_ahead(b + 16 * page_size, 32 * page_size));
    CHECK(unit_all(b + 16 * page_size, 32 * page_size, 0));
    CHECK(store_at(b + 16 * page_size) == NULL && store_at(b + 48 * page_size) != NULL);
    CHECK(memcmp(b, a, 16 * page_size) == 0);
    CHECK(!engine_zero_ahead(b + 64 * page_size, SIZE)); /* what lies behind it is not known */
    call(a, 0, 1, MEMORY_EXCLUDE);
    CHECK(!engine_zero_ahead(a, SIZE));
    CHECK(unit_holds(a, SIZE, 1));
}

TEST(memory, nothing_is_shared_while_it_may_go_and_all_is_as_before_if_it_stays)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    CHECK(!engine_going(b + 1, page_size) && !engine_going(b, 0)); /* which the kernel refuses */
    CHECK(engine_going(b, SIZE));
    CHECK(!shares(a, b));
    engine_gone(b, SIZE, false);
    CHECK(extents_of(b) > 0);
    CHECK(shares(a, b));
    CHECK(engine_going(b, SIZE));
    CHECK(mmap(b, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == b);
    engine_gone(b, SIZE, true);
    CHECK_EQ(extents_of(b), 0);
    CHECK(!shares(b, a));
}

/* Another thread was faster with a block at the place that became free. */
TEST(memory, a_block_that_came_meanwhile_is_not_the_one_that_went)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    engine_gone(b, SIZE, true);
    CHECK(extents_of(b) > 0);
    CHECK(shares(a, b));
}

/* The program moved or unmapped it: the views may live on at a place that we do not know. */
TEST(memory, views_that_are_gone_are_forgotten_and_their_store_never_punched)
{
    uint64_t allocated;
    struct store *store;
    char *a, *b, *elsewhere;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    store = store_at(b);
    store_hold(store);
    elsewhere = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    call(b, 0, PAGES, MEMORY_GONE);
    CHECK(mremap(b, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere) == elsewhere);
    CHECK_EQ(extents_of(b), 0);
    CHECK(store->astray);
    CHECK(mmap(b, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == b);
    CHECK(!shares(b, a)); /* a place that the program maps by itself is not ours */
    unit_fill(a, SIZE, 2);
    allocated = stores_allocated();
    unit_remove(a);
    for (int i = 0; i < 50; i++) {
        char *c = sealed_block(16, 3, NULL);

        memset(c, i, 16 * page_size);
        unit_remove(c);
    }
    CHECK_EQ(stores_allocated(), allocated);
    CHECK(unit_holds(elsewhere, SIZE, 1));
    store_release(store);
}

/* A secret, or memory that a core dump or a child must not have: nothing of it may remain where it could be seen. */
TEST(memory, kept_memory_leaves_the_stores_with_its_contents)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    unit_remove(b);
    memset(a + 5 * page_size, 7, page_size);
    call(a, 0, PAGES, MEMORY_KEEP);
    CHECK_EQ(extents_of(a), 0);
    CHECK_EQ(stores_open(), 0);
    CHECK_EQ(private_pages(a, PAGES), PAGES);
    CHECK(unit_holds(a, 5 * page_size, 1) && unit_all(a + 5 * page_size, page_size, 7));
    b = unit_block(PAGES);
    CHECK(!shares(b, a));
}

/* Whether the kernel remembers MADV_HUGEPAGE for the mapping there. */
static bool wants_huge(const char *address)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    unsigned long start, end;
    char line[256];
    bool inside = false, wants = false;

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = start <= (uintptr_t)address && end > (uintptr_t)address;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            wants = strstr(line, " hg ") != NULL;
    }
    fclose(file);
    return wants;
}

TEST(memory, huge_pages_that_the_program_wants_stay_wanted_after_a_view)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    CHECK(!block_at(b)->huge);
    call(b, 0, PAGES, MEMORY_HUGE);
    CHECK(block_at(b)->huge && !block_at(a)->huge);
    discard(a, PAGES);
    discard(b, PAGES);
    CHECK(unit_all(b, SIZE, 0));
    CHECK(!wants_huge(a));
    if (madvise(a, page_size, MADV_HUGEPAGE) == 0) /* not in every kernel */
        CHECK(wants_huge(b));
}

/* One call over several blocks and what lies between them. */
TEST(memory, a_range_may_hold_several_blocks_or_parts_or_none)
{
    char *memory, *part[3], *source;

    unit_start("");
    memory = unit_map(4 * SIZE);
    source = sealed_block(PAGES, 1, NULL);
    for (int i = 0; i < 3; i++) {
        part[i] = memory + (size_t)i * (SIZE + 8 * page_size);
        CHECK(engine_add(part[i], SIZE, part[i]));
        CHECK(shares(part[i], source));
    }
    CHECK(engine_memory_call(part[0] + SIZE / 2, (size_t)(part[2] - part[0]), MEMORY_ZERO));
    CHECK(memcmp(part[0], source, SIZE / 2) == 0 && unit_all(part[0] + SIZE / 2, SIZE / 2, 0));
    CHECK(unit_all(part[1], SIZE, 0));
    CHECK(unit_all(part[2], SIZE / 2, 0) && memcmp(part[2] + SIZE / 2, source + SIZE / 2, SIZE / 2) == 0);
    CHECK(engine_memory_call(memory + 4 * SIZE, page_size, MEMORY_ZERO));
    CHECK(engine_memory_call(part[1], SIZE_MAX, MEMORY_EXCLUDE)); /* to the end of the address space */
    CHECK(!block_at(part[0])->excluded && block_at(part[1])->excluded && block_at(part[2])->excluded);
    CHECK(engine_memory_call(part[0], 0, MEMORY_EXCLUDE));
    CHECK(!block_at(part[0])->excluded);
}

/* A protected block is zeroed, and is protected afterwards. */
TEST(memory, zeroing_a_protected_block_keeps_its_protection)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    call(b, 0, PAGES, MEMORY_EXCLUDE);
    CHECK_EQ(mprotect(b, SIZE, PROT_READ), 0);
    call(b, 0, PAGES, MEMORY_ZERO);
    CHECK(unit_all(b, SIZE, 0));
    CHECK_EQ(mprotect(b, SIZE, PROT_READ | PROT_WRITE), 0);
    CHECK(unit_holds(a, SIZE, 1));
}

/* In a signal handler that interrupts us nothing can be done; the part that must be zeroed by hand is found without a lock. */
TEST(memory, inside_of_us_the_caller_is_told_which_part_to_zero_himself)
{
    size_t length;
    char *a, *b;
    void *from;

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    thread_self.inside = true;
    CHECK(!engine_memory_call(b, SIZE, MEMORY_ZERO));
    CHECK(engine_peek(b + page_size, SIZE, &from, &length));
    CHECK(from == b + page_size && length == SIZE - page_size);
    CHECK(!engine_peek(b + SIZE, page_size, &from, &length) || from != b + SIZE);
    thread_self.inside = false;
    CHECK(unit_holds(a, SIZE, 1) && unit_holds(b, SIZE, 1));
}

TEST(memory, while_suspended_nothing_is_shared)
{
    char *a, *b;

    unit_start("");
    a = unit_block(PAGES);
    b = unit_block(PAGES);
    memset(a, 1, SIZE);
    engine_stop_sharing(STOP_LOCKED, true);
    CHECK(!shares(b, a));
    CHECK_EQ(reason_copies(REASON_excluded), 1);
    engine_stop_sharing(STOP_LOCKED, false);
    CHECK(shares(b, a));
}
