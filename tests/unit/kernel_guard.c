/* SPDX-License-Identifier: MIT */
/* The write guards. What they promise is shown by a writer that never stops: every value that it wrote must be there when it comes
   back to the word, though the run under it is written to a file and mapped over again and again. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/next.h"
#include "base/page.h"
#include "kernel/map.h"
#include "kernel/storefile.h"
#include "kernel/write_guard.h"
#include "unit.h"
#include "tests/support/patience.h"

#define RUN_PAGES 64
#define WRITES 200000
#define REPLACEMENTS 200

struct race {
    char *memory;
    size_t size;
    bool split; /* into several mappings, before each replacement */
    _Atomic bool stop;
    _Atomic long writes;
    long lost;
};

static void *write_for_ever(void *argument)
{
    struct race *race = argument;
    uint64_t last[RUN_PAGES] = {0};

    for (uint64_t value = 1; !race->stop; value++) {
        size_t page = value % RUN_PAGES;
        volatile uint64_t *word = (volatile uint64_t *)(void *)(race->memory + page * page_size + page * 8);

        race->lost += *word != last[page];
        *word = last[page] = value;
        race->writes++;
    }
    for (size_t page = 0; page < RUN_PAGES; page++)
        race->lost += *(volatile uint64_t *)(void *)(race->memory + page * page_size + page * 8) != last[page];
    return NULL;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A thread that is being born or is ending blocks every signal for a moment, and the mprotect guard declines: TSan has one. */
static int stop_writers_patiently(const struct write_guard *guard, char *memory, size_t size)
{
    int error = -EDEADLK;

    for (int i = 0; i < 1000 && error == -EDEADLK; i++) {
        error = guard->stop_writers((uintptr_t)memory, (uintptr_t)memory + size);
        if (error != 0)
            usleep(1000);
    }
    return error;
}

/* One seal of the run by hand; every other one is called off before it is mapped. */
static int replace(const struct write_guard *guard, struct race *race, int fd, uint64_t offset, bool call_off)
{
    uintptr_t start = (uintptr_t)race->memory, end = start + race->size;
    int error;

    for (size_t page = 1; race->split && page < RUN_PAGES; page += page)
        CHECK_EQ(madvise(race->memory + page * page_size, page_size, MADV_DONTDUMP), 0);
    error = stop_writers_patiently(guard, race->memory, race->size);
    if (error != 0)
        return error;
    error = storefile_write(fd, start, race->size, offset);
    if (error == 0 && !call_off)
        error = map_file(start, race->size, fd, offset);
    if (error == 0 && !call_off)
        guard->replaced(start, end);
    else
        guard->cancel(start, end);
    return error;
}

static long race_against(const struct write_guard *guard, bool split, long *replaced)
{
    struct race race = {.size = RUN_PAGES * page_size, .split = split};
    struct descriptor file = DESCRIPTOR_NONE;
    pthread_t writer;
    double deadline = now() + patience(40);
    int fd;

    race.memory = unit_map(race.size);
    memset(race.memory, 0, race.size);
    CHECK_EQ(storefile_open(STOREFILE_SMALL, &file), 0);
    fd = descriptor_use(&file);
    pthread_create(&writer, NULL, write_for_ever, &race);
    unit_alone();
    while (race.writes == 0) /* a thread that is being born blocks signals */
        sched_yield();
    for (*replaced = 0; (race.writes < WRITES || *replaced < REPLACEMENTS) && now() < deadline; ++*replaced) {
        CHECK_EQ(storefile_extend(fd, (uint64_t)(*replaced + 1) * race.size), 0);
        CHECK_EQ(replace(guard, &race, fd, (uint64_t)*replaced * race.size, *replaced % 4 == 3), 0);
        if (*replaced >= 8) /* nobody sees those any more: keep the file small */
            CHECK_EQ(storefile_punch(fd, (uint64_t)(*replaced - 8) * race.size, race.size), 0);
        /* Where waking it takes long the writer would hardly come to write between two replacements. */
        while (race.writes < *replaced * (WRITES / REPLACEMENTS) && now() < deadline)
            sched_yield();
    }
    race.stop = true;
    pthread_join(writer, NULL);
    CHECK(race.writes >= 100000);
    return race.lost;
}

TEST(write_guard, without_one_the_same_race_loses_writes)
{
    double deadline = now() + patience(20);
    long replaced, lost = 0;

    unit_start("");
    while (lost == 0 && now() < deadline)
        lost = race_against(&write_guard_none, false, &replaced);
    if (lost == 0)
        SKIP("no write was lost within 20 s: the other tests of this suite show nothing here");
}

static void race_against_uffd(const char *internal, bool split)
{
    long replaced;

    unit_start(internal);
    if (uffd_probe() != 0)
        SKIP("no userfaultfd: error %d", -uffd_probe());
    CHECK(write_guard_pick(1) == &write_guard_uffd);
    CHECK_EQ(race_against(&write_guard_uffd, split, &replaced), 0);
    CHECK(replaced >= REPLACEMENTS);
}

TEST(write_guard, userfaultfd_loses_no_write)
{
    race_against_uffd("guard-always", false);
}

TEST(write_guard, userfaultfd_loses_no_write_in_several_mappings)
{
    race_against_uffd("guard-always", true);
}

TEST(write_guard, userfaultfd_that_knows_one_mapping_at_a_time_loses_no_write)
{
    race_against_uffd("guard-always,uffd-one-mapping", true);
}

TEST(write_guard, the_same_where_mappings_are_read_as_text)
{
    race_against_uffd("guard-always,uffd-one-mapping,vma-off", true);
}

TEST(write_guard, mprotect_loses_no_write)
{
    long replaced;

    unit_start("uffd-off");
    CHECK(write_guard_pick(2) == &write_guard_mprotect);
    CHECK_EQ(race_against(&write_guard_mprotect, true, &replaced), 0);
    CHECK(replaced >= REPLACEMENTS);
}

TEST(write_guard, the_best_that_there_is_gets_picked)
{
    unit_start("");
    CHECK(write_guard_pick(1) == &write_guard_none);
    CHECK(write_guard_pick(2) == (uffd_probe() == 0 ? &write_guard_uffd : &write_guard_mprotect));
}

TEST(write_guard, with_none_left_there_is_none)
{
    unit_start("uffd-off,mprotect-off");
    CHECK(write_guard_pick(1) == &write_guard_none);
    CHECK(write_guard_pick(2) == NULL);
}

static void check_cancel(const struct write_guard *guard)
{
    size_t size = 8 * page_size;
    char *memory = unit_map(size);

    memset(memory, 3, size);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(stop_writers_patiently(guard, memory, size), 0);
        CHECK(unit_all(memory, size, 3 + i)); /* readers go on */
        guard->cancel((uintptr_t)memory, (uintptr_t)memory + size);
        memset(memory, 4 + i, size);
    }
}

TEST(write_guard, cancel_restores_writing)
{
    unit_start("");
    unit_alone();
    check_cancel(&write_guard_none);
    check_cancel(&write_guard_mprotect);
    if (uffd_probe() != 0)
        SKIP("no userfaultfd: error %d", -uffd_probe());
    check_cancel(&write_guard_uffd);
}

static sigjmp_buf jump;
static volatile int handled;

static void on_segv(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    handled += info->si_addr != NULL;
    siglongjmp(jump, 1);
}

/* The second half of the range is not mapped, so that mprotect fails half-way; the first half must be writable afterwards. */
static int write_after_failed_stop(void *argument)
{
    const struct write_guard *guard = argument;
    size_t size = 8 * page_size;
    char *memory = unit_map(size);

    write_guard_after_fork();
    memset(memory, 1, size);
    munmap(memory + size / 2, size / 2);
    if (guard->stop_writers((uintptr_t)memory, (uintptr_t)memory + size) == 0)
        guard->cancel((uintptr_t)memory, (uintptr_t)memory + size); /* userfaultfd does not mind the gap */
    signal(SIGSEGV, SIG_DFL);
    memset(memory, 2, size / 2);
    return 0;
}

TEST(write_guard, mprotect_that_cannot_stop_writers_leaves_all_writable)
{
    unit_start("");
    unit_alone();
    CHECK_EQ(unit_child(write_after_failed_stop, (void *)(uintptr_t)&write_guard_mprotect), 0);
}

TEST(write_guard, userfaultfd_over_a_gap_leaves_all_writable)
{
    unit_start("");
    if (uffd_probe() != 0)
        SKIP("no userfaultfd: error %d", -uffd_probe());
    CHECK_EQ(unit_child(write_after_failed_stop, (void *)(uintptr_t)&write_guard_uffd), 0);
}

static void stop_and_let_go(void)
{
    char *memory = unit_map(page_size);

    unit_alone();
    memory[0] = 1;
    CHECK_EQ(stop_writers_patiently(&write_guard_mprotect, memory, page_size), 0);
    write_guard_mprotect.cancel((uintptr_t)memory, (uintptr_t)memory + page_size);
}

TEST(write_guard, mprotect_passes_a_foreign_fault_to_the_programs_handler)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    char *foreign;

    unit_start("");
    action.sa_sigaction = on_segv;
    CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
    stop_and_let_go();
    foreign = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sigsetjmp(jump, 1) == 0)
        *(volatile char *)foreign = 1;
    CHECK_EQ(handled, 1);
    munmap(foreign, page_size);
    if (sigsetjmp(jump, 1) == 0)
        *(volatile char *)foreign = 1; /* unmapped, not just protected */
    CHECK_EQ(handled, 2);
}

TEST(write_guard, mprotect_keeps_the_programs_later_handler_beside_its_own)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO}, old;
    char *foreign;
    int result = -1;

    unit_start("");
    stop_and_let_go();
    action.sa_sigaction = on_segv;
    CHECK(guard_sigaction(&action, &old, &result));
    CHECK_EQ(result, 0);
    CHECK(guard_sigaction(NULL, &old, &result));
    CHECK(old.sa_sigaction == on_segv);
    foreign = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sigsetjmp(jump, 1) == 0)
        *(volatile char *)foreign = 1;
    CHECK_EQ(handled, 1);
}

static int die_of_a_real_fault(void *argument)
{
    char *foreign = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)argument;
    signal(SIGSEGV, SIG_DFL);
    stop_and_let_go();
    alarm(patience(10)); /* a fault that is tried for ever ends here */
    *(volatile char *)foreign = 1;
    return 0;
}

TEST(write_guard, mprotect_lets_a_real_fault_kill)
{
    int status;

    unit_start("");
    status = unit_child(die_of_a_real_fault, NULL);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGSEGV);
}

TEST(write_guard, mprotect_takes_its_handler_out_again)
{
    struct sigaction before, after;

    unit_start("");
    CHECK_EQ(sigaction(SIGSEGV, NULL, &before), 0);
    stop_and_let_go();
    CHECK_EQ(sigaction(SIGSEGV, NULL, &after), 0);
    if (!UNIT_TSAN) /* clang's TSan does not see a handler that was installed past it */
        CHECK(after.sa_sigaction != before.sa_sigaction);
    for (int i = 0; i < 40; i++) {
        usleep(100000);
        write_guard_rest();
    }
    CHECK_EQ(sigaction(SIGSEGV, NULL, &after), 0);
    CHECK(after.sa_sigaction == before.sa_sigaction);
}

static _Atomic bool ready, done;

static void *block_segv(void *argument)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    ready = true;
    while (!done)
        sched_yield();
    return argument;
}

TEST(write_guard, mprotect_declines_when_a_thread_blocks_segv)
{
    char *memory;
    pthread_t thread;
    int error;

    unit_start("");
    memory = unit_map(page_size);
    pthread_create(&thread, NULL, block_segv, NULL);
    while (!ready)
        sched_yield();
    error = write_guard_mprotect.stop_writers((uintptr_t)memory, (uintptr_t)memory + page_size);
    done = true;
    pthread_join(thread, NULL);
    CHECK_EQ(error, -EDEADLK);
    memory[0] = 1;
}
