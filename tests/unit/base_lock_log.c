/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/next.h"
#include "unit.h"

static struct lock block_low = LOCK_INITIALIZER(LOCK_BLOCK), block_high = LOCK_INITIALIZER(LOCK_BLOCK);
static struct lock stores = LOCK_INITIALIZER(LOCK_STORES), other_stores = LOCK_INITIALIZER(LOCK_STORES);
static struct lock arena = LOCK_INITIALIZER(LOCK_ARENA);

TEST(lock, rising_ranks_and_two_blocks_are_allowed)
{
    lock_take(&block_low);
    lock_take(&block_high);
    lock_take(&stores);
    lock_take(&arena);
    lock_drop(&arena);
    lock_drop(&stores);
    lock_take(&stores);
    lock_drop(&stores);
    lock_drop(&block_low);
    lock_drop(&block_high);
}

static int take_two(void *argument)
{
    struct lock **pair = argument;

    signal(SIGILL, SIG_DFL); /* a sanitizer's handler would exit instead */
    signal(SIGTRAP, SIG_DFL);
    lock_take(pair[0]);
    lock_take(pair[1]);
    return 0;
}

TEST(lock, a_debug_build_stops_at_a_falling_rank)
{
    struct lock *falling[] = {&arena, &block_low};
    struct lock *same[] = {&stores, &other_stores};

#ifndef COWSHIM_DEBUG
    SKIP("not configured with --enable-debug");
#endif
    CHECK(WIFSIGNALED(unit_child(take_two, falling)));
    CHECK(WIFSIGNALED(unit_child(take_two, same)));
}

TEST(lock, try_tells_whether_it_is_free)
{
    CHECK(lock_try(&stores));
    CHECK(!lock_try(&stores));
    lock_drop(&stores);
    CHECK(lock_try(&stores));
    lock_drop(&stores);
}

TEST(log, a_message_is_one_line_with_its_level)
{
    log_set_level(LOG_LEVEL_INFO);
    errno = 42;
    unit_capture_begin();
    errno = 42;
    log_info("%d stores of %s", 3, "mine");
    CHECK_EQ(errno, 42);
    log_debug("not this one");
    CHECK(strcmp(unit_capture_end(), "cowshim: info: 3 stores of mine\n") == 0);
}

TEST(log, a_long_message_is_cut_and_ends_its_line)
{
    char text[2000];
    const char *got;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t length = 470; length < 530; length++) {
        unit_capture_begin();
        log_error("%.*s", (int)length, text);
        got = unit_capture_end();
        CHECK_AT(strlen(got) <= 512 && strlen(got) > 480, length);
        CHECK_AT(strchr(got, '\n') == got + strlen(got) - 1, length);
        CHECK_AT(strspn(got + strlen("cowshim: error: "), "x") == strlen(got) - strlen("cowshim: error: ") - 1, length);
    }
}

TEST(log, a_closed_stderr_is_no_error)
{
    int saved = dup(STDERR_FILENO);

    close(STDERR_FILENO);
    errno = 42;
    log_error("nobody hears this");
    CHECK_EQ(errno, 42);
    dup2(saved, STDERR_FILENO);
}

TEST(next, works_before_and_after_it_is_bound)
{
    char from[64] = "abcdefghijklmnopqrstuvwxyz", to[64];
    void *memory;

    bytes_copy(to, from, sizeof to);
    CHECK(memcmp(to, from, sizeof to) == 0);
    bytes_move(from + 1, from, 20);
    CHECK(memcmp(from, "aabcdefghijklmnopqrst", 21) == 0);
    bytes_move(from, from + 1, 20);
    CHECK(memcmp(from, "abcdefghijklmnopqrst", 20) == 0);
    bytes_fill(to, 7, sizeof to);
    CHECK(unit_all(to, sizeof to, 7));
    memory = next.malloc(100); /* binds the table itself */
    CHECK(memory != NULL && !next_is_bootstrap(memory));
    next.free(memory);
    next_bind();
    next_bind();
    CHECK(next.mmap != NULL && next.sigaction != NULL);
    bytes_fill(to, 9, sizeof to);
    CHECK(unit_all(to, sizeof to, 9));
}
