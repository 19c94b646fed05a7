/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/thread.h"
#include "kernel/holders.h"
#include "unit.h"

/* A file that writes to memory by itself is found by a look alone, for nobody announces it. -1: there is none here. */
static int open_unannounced(void)
{
    return open("/proc/self/exe", O_RDONLY | O_DIRECT);
}

static unsigned held_now(void)
{
    unsigned held = 0;

    CHECK_EQ(holders_held(&held), 0);
    return held;
}

/* An operation begins, and looks. */
static void look_first(unsigned threads)
{
    struct holders holders;

    thread_self.inside = true;
    thread_self.checked = 0;
    CHECK_EQ(holders_look(&holders), 0);
    CHECK_EQ(holders.threads, threads);
}

TEST(holders, one_look_in_an_operation_is_enough_for_one_thread)
{
    int file;

    unit_start("");
    look_first(1);
    file = open_unannounced();
    if (file < 0)
        SKIP("no O_DIRECT here");
    CHECK_EQ(held_now() & HOLDER_RING, 0);
    thread_self.checked = 0; /* the next operation */
    CHECK_EQ(held_now() & HOLDER_RING, HOLDER_RING);
    thread_self.inside = false;
    close(file);
}

static void *wait_for_end(void *pipe)
{
    char byte;

    return read(*(int *)pipe, &byte, 1) < 0 ? pipe : NULL;
}

TEST(holders, another_thread_may_have_changed_what_an_operation_looked_up)
{
    pthread_t thread;
    int ends[2], file;

    unit_start("");
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(pthread_create(&thread, NULL, wait_for_end, ends), 0);
    look_first(2);
    file = open_unannounced();
    if (file < 0)
        SKIP("no O_DIRECT here");
    CHECK_EQ(held_now() & HOLDER_RING, HOLDER_RING);
    thread_self.inside = false;
    close(ends[1]);
    pthread_join(thread, NULL);
}
