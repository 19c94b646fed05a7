/* SPDX-License-Identifier: MIT */
/* Fork: parent and child each see their own, whatever was shared before. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine_unit.h"
#include "tests/support/patience.h"

static _Atomic bool stop;

/* What every munmap() and every free() of a page-aligned pointer asks of us. */
static void *ask_for_ever(void *argument)
{
    void *raw;

    while (!stop) {
        engine_memory_call(argument, page_size, MEMORY_GONE);
        engine_remove(argument, &raw);
        engine_fill(argument, 0, page_size);
    }
    return NULL;
}

static int use_the_engine(void *argument)
{
    char *block;

    engine_fork_child();
    alarm(patience(5)); /* a lock that was held at the fork is held for ever */
    block = unit_block(16);
    memset(block, 1, 16 * page_size);
    unit_remove(block);
    return 0;
}

TEST(fork, a_child_finds_no_lock_held_whatever_other_threads_did)
{
    pthread_t threads[2];
    char *memory;

    unit_start("");
    unit_remove(unit_block(16));
    memory = unit_map(page_size);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, ask_for_ever, memory);
    for (int i = 0; i < (UNIT_TSAN || UNIT_ASAN ? 100 : 1000); i++) {
        pid_t child;
        int status;

        engine_fork_prepare();
        child = fork();
        if (child == 0)
            _exit(use_the_engine(NULL));
        engine_fork_parent();
        CHECK_EQ(waitpid(child, &status, 0), child);
        if (status != 0)
            UNIT_FAIL("child %d ended with status %#x", i, status);
    }
    stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

struct pair {
    char *a, *b;
    size_t size;
};

static int child_writes(void *argument)
{
    struct pair *pair = argument;

    engine_fork_child();
    if (!unit_holds(pair->a, pair->size, 1) || !unit_holds(pair->b, pair->size, 1))
        return 1;
    memset(pair->a, 2, pair->size);
    memset(pair->b, 3, pair->size);
    if (!unit_copy(pair->b, pair->a, pair->size))
        return 2;
    memset(pair->a, 4, pair->size);
    return unit_all(pair->b, pair->size, 2) && unit_all(pair->a, pair->size, 4) ? 0 : 3;
}

TEST(fork, parent_and_child_write_everything_and_see_their_own)
{
    struct pair pair = {.size = 1024 * page_size};
    struct store *store;
    uint64_t used;
    uint64_t allocated;

    unit_start("");
    pair.a = sealed_block(1024, 1, &pair.b);
    store = store_at(pair.b);
    used = store->used;
    allocated = stores_allocated();
    engine_fork_prepare();
    CHECK_EQ(unit_child(child_writes, &pair), 0);
    engine_fork_parent();
    CHECK_EQ(store->used, used);
    CHECK_EQ(stores_allocated(), allocated); /* the child punched nothing */
    CHECK(unit_holds(pair.a, pair.size, 1) && unit_holds(pair.b, pair.size, 1));
    memset(pair.a, 5, pair.size);
    CHECK(unit_copy(pair.b, pair.a, pair.size));
    CHECK(unit_all(pair.b, pair.size, 5));
    unit_remove(pair.a);
    unit_remove(pair.b);
    CHECK_EQ(extent_count(), 0);
}

static int wait_for_end(void *argument)
{
    char byte;

    close(((int *)argument)[1]);
    return (int)read(((int *)argument)[0], &byte, 1);
}

/* All of it is dead at once; it is punched when the child that shows it is gone, not before, and at the next event then. */
TEST(fork, a_store_is_not_punched_while_a_child_shows_it)
{
    char *a, *b, *c, *d;
    int ends[2];
    pid_t child;

    unit_start("");
    a = sealed_block(1024, 1, &b);
    CHECK_EQ(pipe(ends), 0);
    engine_fork_prepare();
    child = fork();
    if (child == 0)
        _exit(wait_for_end(ends));
    engine_fork_parent();
    memset(a, 2, 1024 * page_size);
    memset(b, 3, 1024 * page_size);
    c = sealed_block(16, 4, &d);
    for (int i = 0; i < 20; i++)
        unit_copy(d, c, 16 * page_size);
    CHECK(store_at(c) != store_at(a));
    CHECK_EQ(counter_read(COUNT_reclaimed_bytes), 0);
    CHECK_EQ(stores_allocated(), 1040 * page_size);
    close(ends[1]);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    for (int i = 0; i < 200 && stores_allocated() > 16 * page_size; i++) {
        usleep(5000);
        unit_copy(d, c, 16 * page_size);
    }
    CHECK_EQ(stores_allocated(), 16 * page_size);
    CHECK(unit_all(a, 1024 * page_size, 2) && unit_all(b, 1024 * page_size, 3));
}
