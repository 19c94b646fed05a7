/* SPDX-License-Identifier: MIT */
/* Threads and processes that count in an array while it is copied: no write is lost. */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "race.h"
#include "tests/support/patience.h"

#define WORDS (PAGE / sizeof(uint64_t))
#define WRITERS 3
#ifndef RACING_WRITES
#define RACING_WRITES 1000000 /* while a copy is under way */
#endif
#define FEWEST_WRITES 100000 /* where they do not come in time: a page fault may take 13 us */
#define PATIENCE 20          /* seconds */

typedef _Atomic uint64_t counter;

static struct {
    counter *block; /* each writer counts in words of its own, on every page */
    counter *twin;  /* what each has counted so far, where the shim does not come */
    _Atomic bool copying;
    counter racing;
} race;

static time_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static void *map(size_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static uint64_t get(counter *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* One writer each: a plain store, which loses nothing by itself. */
static void put(counter *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static void *count_on(void *number)
{
    uint64_t random = (uintptr_t)number + 1;
    uint64_t racing = 0;

    while (!stop) {
        for (int i = 0; i < 64; i++) {
            size_t word = next_random(&random) % PAGES * WORDS + (uintptr_t)number * 8;
            bool before = atomic_load_explicit(&race.copying, memory_order_relaxed);

            put(&race.block[word], get(&race.block[word]) + 1);
            put(&race.twin[word], get(&race.twin[word]) + 1);
            racing += before && atomic_load_explicit(&race.copying, memory_order_relaxed);
        }
        atomic_fetch_add(&race.racing, racing);
        racing = 0;
    }
    return NULL;
}

/* A copy has of each word a value between those before and after it. */
static int copy_is_of_its_time(counter *copy, const uint64_t *before)
{
    for (size_t page = 0; page < PAGES; page++) {
        for (size_t writer = 0; writer < WRITERS; writer++) {
            size_t word = page * WORDS + writer * 8;
            uint64_t value = get(&copy[word]);

            CHECK(value >= before[page * WRITERS + writer], "page %zu: the copy has %lu, it was %lu before", page, value,
                  before[page * WRITERS + writer]);
            CHECK(value <= get(&race.twin[word]) + 1, "page %zu: the copy has %lu, and now it is %lu", page, value, get(&race.twin[word]));
        }
    }
    return KEPT;
}

static int copy_while_they_count(void)
{
    static uint64_t before[PAGES * WRITERS];
    counter *copy = malloc(SIZE);
    time_t end = now() + (time_t)patience(PATIENCE);
    int broken = KEPT;
    bool shared = false;

    for (int round = 0; race.racing < RACING_WRITES && broken == KEPT; round++) {
        bool looks = round % 16 == 0;

        for (size_t i = 0; looks && i < COUNT_OF(before); i++)
            before[i] = get(&race.twin[i / WRITERS * WORDS + i % WRITERS * 8]);
        race.copying = true;
        memcpy(copy, race.block, SIZE);
        race.copying = false;
        if (looks)
            broken = copy_is_of_its_time(copy, before);
        shared = shared || shows_store(copy, SIZE);
        if (now() >= end && race.racing >= FEWEST_WRITES)
            break;
        CHECK(now() < end + 3 * (time_t)patience(PATIENCE), "after %u seconds only %lu writes raced with a copy", 4 * patience(PATIENCE),
              race.racing);
    }
    free(copy);
    CHECK(shared == sharing || broken, "copies were %sshared", shared ? "" : "not ");
    return broken;
}

static void begin_race(void)
{
    race.block = malloc(SIZE);
    race.twin = map(SIZE);
    memset(race.block, 0, SIZE);
    stop = false;
}

static int no_write_is_lost(void)
{
    pthread_t threads[WRITERS];
    uint64_t lost = 0;
    int broken;

    begin_race();
    for (uintptr_t i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, count_on, (void *)i) == 0, "no thread");
    broken = copy_while_they_count();
    stop = true;
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < SIZE / sizeof(uint64_t); i++)
        lost += race.twin[i] - race.block[i];
    CHECK(lost == 0, "%lu writes are lost (%lu raced with a copy)", lost, race.racing);
    printf("# %lu writes raced with a copy, %lu lost\n", race.racing, lost);
    free(race.block);
    munmap(race.twin, SIZE);
    return broken;
}

/* Runs in a process of its own on our memory, and calls nothing. */
static int count_in_company(void *unused)
{
    (void)unused;
    for (size_t page = 0; !stop; page = (page + 13) % PAGES) {
        put(&race.block[page * WORDS], get(&race.block[page * WORDS]) + 1);
        put(&race.twin[page * WORDS], get(&race.twin[page * WORDS]) + 1);
    }
    return 0;
}

static int processes_that_share_memory_lose_nothing(void)
{
    static char stack[65536] __attribute__((aligned(64)));
    counter *copy = malloc(SIZE);
    uint64_t lost = 0;
    pid_t pid;

    begin_race();
    pid = clone(count_in_company, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
    CHECK(pid > 0, "no clone");
    for (int round = 0; round < 300; round++) {
        for (size_t word = 8; word < SIZE / sizeof(uint64_t); word += WORDS)
            put(&race.block[word], 1);
        memcpy(copy, race.block, SIZE);
    }
    stop = true;
    CHECK(waitpid(pid, NULL, 0) == pid, "waitpid");
    for (size_t word = 0; word < SIZE / sizeof(uint64_t); word += WORDS)
        lost += race.twin[word] - race.block[word];
    CHECK(lost == 0, "%lu writes are lost", lost);
    free(copy);
    free(race.block);
    munmap(race.twin, SIZE);
    return KEPT;
}

/* race [plain] */
int main(int count, char **words)
{
    static const struct story stories[] = {
        {"of the writes that race with copies of their block none is lost", no_write_is_lost},
        /* The last one: afterwards the shim never takes itself to be alone again. */
        {"a process that shares our memory loses no write", processes_that_share_memory_lose_nothing},
    };

    (void)words;
    sharing = count == 1;
    return tell_all(stories, COUNT_OF(stories));
}
