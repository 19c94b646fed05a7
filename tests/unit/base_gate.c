/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/gate.h"
#include "unit.h"

static _Atomic bool leave, entered;
static _Atomic int inside;

static void *stay_inside(void *argument)
{
    (void)argument;
    if (!gate_enter())
        return NULL;
    entered = true;
    while (!leave)
        sched_yield();
    usleep(20000);
    inside = 0;
    gate_leave();
    return NULL;
}

TEST(gate, a_second_entry_of_the_same_thread_is_refused)
{
    unit_start_base(NULL);
    CHECK_EQ(gate_init(NULL), 0);
    CHECK(gate_enter());
    CHECK(!gate_enter());
    gate_leave();
    CHECK(gate_enter());
    gate_leave();
}

TEST(gate, entering_keeps_errno)
{
    unit_start_base(NULL);
    gate_init(NULL);
    errno = 99;
    CHECK(gate_enter());
    CHECK_EQ(errno, 99);
    gate_leave();
    CHECK_EQ(errno, 99);
}

TEST(gate, a_fork_waits_until_the_operation_of_another_thread_is_over)
{
    pthread_t thread;

    unit_start_base(NULL);
    gate_init(NULL);
    inside = 1;
    pthread_create(&thread, NULL, stay_inside, NULL);
    while (!entered)
        sched_yield();
    leave = true;
    gate_close();
    CHECK_EQ(inside, 0);
    gate_open();
    pthread_join(thread, NULL);
}

static void *enter_once(void *argument)
{
    (void)argument;
    if (gate_enter()) {
        entered = true;
        gate_leave();
    }
    return NULL;
}

TEST(gate, operations_wait_while_a_fork_is_under_way)
{
    pthread_t thread;

    unit_start_base(NULL);
    gate_init(NULL);
    gate_close();
    pthread_create(&thread, NULL, enter_once, NULL);
    usleep(50000);
    CHECK(!entered);
    CHECK(gate_enter()); /* the forking thread itself is let in: its atfork handlers may allocate */
    gate_leave();
    gate_open();
    pthread_join(thread, NULL);
    CHECK(entered);
}

static _Atomic long total, stop;

static void *work(void *argument)
{
    (void)argument;
    while (!stop)
        if (gate_enter()) {
            inside++;
            inside--;
            total++;
            gate_leave();
        }
    return NULL;
}

TEST(gate, many_forks_and_many_operations_never_meet)
{
    pthread_t threads[3];
    int met = 0;

    unit_start_base(NULL);
    gate_init(NULL);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 2000; i++) {
        gate_close();
        met += inside != 0;
        gate_open();
        if (i % 16 == 0)
            sched_yield();
    }
    while (total < 1000)
        sched_yield();
    stop = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(met, 0);
}

static int adopted;

static void adopt(void)
{
    adopted++;
}

static int child_that_nobody_announced(bool expect)
{
    bool let_in = gate_enter();

    if (let_in)
        gate_leave();
    if (let_in != expect || adopted != (expect ? 1 : 0))
        return 1;
    if (expect && (!gate_enter() || adopted != 1)) /* adopted once only */
        return 2;
    return 0;
}

static int status_of_raw_fork(bool expect)
{
    int status = -1;
    long child = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

    if (child == 0)
        unit_exit(child_that_nobody_announced(expect));
    waitpid((pid_t)child, &status, 0);
    return status;
}

TEST(gate, an_unannounced_child_adopts_a_whole_state_once)
{
    unit_start_base(NULL);
    CHECK_EQ(gate_init(adopt), 0);
    CHECK_EQ(status_of_raw_fork(true), 0);
    CHECK_EQ(adopted, 0); /* the parent stays what it was */
    CHECK(gate_enter());
    gate_leave();
}

TEST(gate, an_unannounced_child_stays_out_when_another_thread_was_inside)
{
    pthread_t thread;

    if (UNIT_TSAN)
        SKIP("a raw clone of a threaded program is not for TSan");
    unit_start_base(NULL);
    gate_init(adopt);
    pthread_create(&thread, NULL, stay_inside, NULL);
    while (!entered)
        sched_yield();
    CHECK_EQ(status_of_raw_fork(false), 0);
    leave = true;
    pthread_join(thread, NULL);
}

static int enter_in_announced_child(void *argument)
{
    (void)argument;
    gate_open_in_child();
    if (!gate_enter())
        return 1;
    gate_leave();
    return adopted == 0 ? 0 : 2;
}

TEST(gate, an_announced_child_is_not_adopted_a_second_time)
{
    unit_start_base(NULL);
    gate_init(adopt);
    gate_close();
    CHECK_EQ(unit_child(enter_in_announced_child, NULL), 0);
    gate_open();
    CHECK(gate_enter());
    gate_leave();
}
