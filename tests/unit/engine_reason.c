/* SPDX-License-Identifier: MIT */
/* Every reason for a plain copy: it can be produced, it is the one that is counted, once and with all bytes; errno is kept, no
   byte was written wrongly, and the source is as it was. One test for each line of reasons.def. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine_unit.h"
#include "kernel/pagemap.h"
#include "kernel/vma.h"
#include "kernel/write_guard.h"

#define PAGES 64

/* The copy that is to be declined. Begins as all of one block to another. */
struct attempt {
    char *to, *from;
    size_t size;
    bool in_vfork_child;
};

static void as_it_is(struct attempt *attempt)
{
    (void)attempt;
}

static void be_nested(struct attempt *attempt)
{
    (void)attempt;
    thread_self.inside = true;
}

static void shift_by_a_byte(struct attempt *attempt)
{
    attempt->to++;
    attempt->size--;
}

static void overlap(struct attempt *attempt)
{
    attempt->to = attempt->from + page_size;
    attempt->size -= page_size;
}

static void shorten(struct attempt *attempt)
{
    attempt->from++;
    attempt->to++;
    attempt->size = 3 * page_size - 2;
}

static void copy_from_elsewhere(struct attempt *attempt)
{
    char *elsewhere = unit_map(attempt->size);

    memcpy(elsewhere, attempt->from, attempt->size);
    attempt->from = elsewhere;
}

static void copy_to_elsewhere(struct attempt *attempt)
{
    attempt->to = unit_map(attempt->size);
}

static void exclude(struct attempt *attempt)
{
    engine_memory_call(attempt->from, page_size, MEMORY_EXCLUDE);
}

static void use_vfork(struct attempt *attempt)
{
    if (UNIT_TSAN)
        SKIP("TSan makes a fork of a vfork");
    attempt->in_vfork_child = true;
}

/* By a raw system call, say: the engine was not told. */
static void map_behind_our_back(struct attempt *attempt)
{
    char *page = attempt->to + 20 * page_size;

    if (!vma_available())
        SKIP("before Linux 6.11 nobody tells");
    CHECK(mmap(page, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page);
}

static void pin(struct attempt *attempt)
{
    static struct io_uring_params parameters;
    struct iovec buffer = {unit_map(page_size), page_size};
    long ring = syscall(SYS_io_uring_setup, 4, &parameters);

    (void)attempt;
    if (ring < 0)
        SKIP("no io_uring here: %s", strerror(errno));
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1) != 0)
        SKIP("io_uring registers no buffers here: %s", strerror(errno));
}

/* Those that are opened once are there already, but neither the file for stores, which a child opens anew, nor the list of descriptors,
   which is opened anew when one more is there. How many the test program has is not known: its table is filled up. */
static void take_descriptors_away(struct attempt *attempt)
{
    struct rlimit limit;

    (void)attempt;
    unit_remove(sealed_block(16, 1, NULL));
    CHECK_EQ(stores_open(), 0);
    store_after_fork(true);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 8;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
        ;
    CHECK_EQ(errno, EMFILE);
}

/* As many runs as the guard can hold are held already. */
static struct page_run hold_all(void)
{
    struct page_run held = {(uintptr_t)unit_map(4096 * page_size), 0};

    unit_alone();
    for (held.end = held.start; write_guard_mprotect.stop_writers(held.end, held.end + page_size) == 0;)
        held.end += page_size;
    CHECK(held.end > held.start);
    return held;
}

static void hold_elsewhere(struct attempt *attempt)
{
    (void)attempt;
    hold_all();
}

struct way {
    void (*prepare)(struct attempt *attempt);
    const char *internal;
    const char *policy;
};

static const struct way ways[REASONS] = {
    [REASON_nested] = {be_nested, "", "memory"},
    [REASON_incongruent] = {shift_by_a_byte, "", "memory"},
    [REASON_overlapping] = {overlap, "", "memory"},
    [REASON_small] = {shorten, "", "memory"},
    [REASON_not_source] = {copy_from_elsewhere, "", "memory"},
    [REASON_not_target] = {copy_to_elsewhere, "", "memory"},
    [REASON_excluded] = {exclude, "", "memory"},
    [REASON_foreign_process] = {use_vfork, "", "memory"},
    [REASON_unlike_maps] = {map_behind_our_back, "", "memory"},
    [REASON_pinned] = {pin, "", "memory"},
    [REASON_device] = {as_it_is, "held=4", "memory"},
    [REASON_pager] = {as_it_is, "held=2", "memory"},
    [REASON_no_guard] = {as_it_is, "guard-always,uffd-off,mprotect-off", "memory"},
    [REASON_not_held] = {hold_elsewhere, "guard-always,uffd-off", "memory"},
    [REASON_no_pagemap] = {as_it_is, "pagemap-off", "memory"},
    [REASON_no_store] = {as_it_is, "memfd-off,tmpfs-off", "memory"},
    [REASON_budget] = {take_descriptors_away, "", "memory"},
    [REASON_unlikely] = {as_it_is, "", "speed"},
};

static enum engine_copied copied_in_child(const struct attempt *attempt)
{
    int status;
    pid_t child = vfork();

    if (child == 0)
        _exit(engine_copy(attempt->to, attempt->from, attempt->size, NULL));
    CHECK_EQ(waitpid(child, &status, 0), child);
    return (enum engine_copied)WEXITSTATUS(status);
}

static void expect_declined(const struct attempt *attempt)
{
    char *before = unit_map(attempt->size), *target = unit_map(attempt->size);
    enum engine_copied copied;

    memcpy(before, attempt->from, attempt->size);
    memcpy(target, attempt->to, attempt->size);
    errno = 12345;
    if (attempt->in_vfork_child)
        copied = copied_in_child(attempt);
    else
        copied = engine_copy(attempt->to, attempt->from, attempt->size, NULL);
    CHECK_EQ(errno, 12345);
    thread_self.inside = false;
    CHECK(copied != COPIED_SHARED);
    CHECK(memcmp(attempt->from, before, attempt->size) == 0);
    CHECK(memcmp(attempt->to, copied == COPIED_PLAINLY ? before : target, attempt->size) ==
          0); /* it had no view that could have been dropped */
}

static void produce(enum reason wanted)
{
    const struct way *way = &ways[wanted];
    struct attempt attempt = {.size = PAGES * page_size};

    if (way->prepare == NULL)
        UNIT_FAIL("nobody knows how to produce \"%s\"", reason_words(wanted));
    setenv("COWSHIM_POLICY", way->policy, 1);
    unit_start(way->internal);
    attempt.from = unit_block(PAGES);
    attempt.to = unit_block(PAGES);
    unit_fill(attempt.from, attempt.size, 1);
    way->prepare(&attempt);
    expect_declined(&attempt);
    for (enum reason reason = 0; reason < REASONS; reason++)
        if (reason_copies(reason) != (reason == wanted) || reason_bytes(reason) != (reason == wanted ? attempt.size : 0))
            UNIT_FAIL("wanted %s; %s was counted %llu times, with %llu bytes", reason_name(wanted), reason_name(reason),
                      (unsigned long long)reason_copies(reason), (unsigned long long)reason_bytes(reason));
}

#define REASON(name, words) \
    TEST(reason, name) \
    { \
        produce(REASON_##name); \
    }
#include "engine/report/reasons.def"
#undef REASON

/* Uses up the budget for views but for the last `left`. */
static void use_up_views(struct store *store, size_t left)
{
    struct block *block = block_add((uintptr_t)1 << 46, (size_t)1 << 40, NULL); /* nothing is there, and nothing looks */

    for (uintptr_t at = block_start(block); extent_budget_left(left + 1); at += 2 * page_size) {
        struct extent_spares spares;

        CHECK_EQ(extent_spares_take(&spares), 0);
        extent_set(block, at, at + page_size, store, 0, &spares);
        extent_spares_give(&spares);
    }
}

/* After its seal the source is three views: the budget ends at the seal, or at one of them. */
static void run_out(size_t left)
{
    size_t size = PAGES * page_size;
    char *a, *b, *c, *expected = unit_map(size);

    unit_start("");
    a = sealed_block(PAGES, 1, &b);
    c = unit_block(PAGES);
    unit_fill(a + 20 * page_size, 16 * page_size, 2);
    memcpy(expected, a, size);
    use_up_views(store_at(a), left);
    CHECK_AT(unit_copy(c, a, size) == (left >= 5), left);
    CHECK_AT(reason_copies(REASON_budget) == (left < 5), left);
    CHECK(memcmp(c, expected, size) == 0 && memcmp(a, expected, size) == 0);
    CHECK(unit_holds(b, size, 1));
}

TEST(reason, no_views_left_to_seal_with)
{
    run_out(2);
}

TEST(reason, no_views_left_to_show_all_of_the_source)
{
    run_out(4);
}

TEST(reason, just_enough_views)
{
    run_out(5);
}

/* A source that could not be sealed is as private as before: that is no sign of its copies being rewritten. */
TEST(reason, seals_that_failed_teach_the_policy_nothing)
{
    size_t size = PAGES * page_size;
    struct page_run held;
    char *from, *to;

    setenv("COWSHIM_POLICY", "balanced", 1);
    unit_start("guard-always,uffd-off");
    from = unit_block(PAGES);
    to = unit_block(PAGES);
    unit_fill(from, size, 1);
    held = hold_all();
    for (int i = 0; i < 8; i++)
        CHECK_AT(!unit_copy(to, from, size), i);
    CHECK_EQ(reason_copies(REASON_not_held), 8);
    for (; held.start < held.end; held.start += page_size)
        write_guard_mprotect.cancel(held.start, held.start + page_size);
    CHECK(unit_copy(to, from, size));
    CHECK(unit_holds(to, size, 1));
}
