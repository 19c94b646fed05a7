/* SPDX-License-Identifier: MIT */
/* Threads that write, read, copy and free while other threads copy the same blocks: nothing is lost, nobody sees a gap. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "story.h"

#define PAGE ((size_t)4096)
#define PAGES ((size_t)1024)
#define SIZE (PAGES * PAGE)
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
    _Atomic bool copying, stop, begun;
    counter racing;
} race;

static bool sharing = true; /* not where no guard can be had */

static time_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
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

    while (!race.stop) {
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
            CHECK(value <= get(&race.twin[word]) + 1, "page %zu: the copy has %lu, and now it is %lu", page, value,
                  get(&race.twin[word]));
        }
    }
    return KEPT;
}

static int copy_while_they_count(void)
{
    static uint64_t before[PAGES * WRITERS];
    counter *copy = malloc(SIZE);
    time_t end = now() + PATIENCE;
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
        CHECK(now() < end + 3 * PATIENCE, "after %d seconds only %lu writes raced with a copy", 4 * PATIENCE, race.racing);
    }
    free(copy);
    CHECK(shared == sharing || broken, "copies were %sshared", shared ? "" : "not ");
    return broken;
}

static int no_write_is_lost(void)
{
    pthread_t threads[WRITERS];
    uint64_t lost = 0;
    int broken;

    race.block = malloc(SIZE);
    race.twin = map(SIZE);
    memset(race.block, 0, SIZE);
    race.stop = false;
    for (uintptr_t i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, count_on, (void *)i) == 0, "no thread");
    broken = copy_while_they_count();
    race.stop = true;
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

/* The thread's half of the pages is rewritten with what it holds already: it must never read as anything else. */
static void *read_on(void *block)
{
    uintptr_t wrong = 0;

    for (size_t page = 0; !race.stop; page = (page + 7) % PAGES)
        wrong += first_wrong((unsigned char *)block + page * PAGE, 64, page * PAGE, 1) != SIZE_MAX;
    return (void *)wrong;
}

static void *rewrite_on(void *block)
{
    uint64_t random = 1;

    while (!race.stop) {
        size_t page = next_random(&random) % PAGES;

        for (size_t i = page * PAGE; i < page * PAGE + 64; i++)
            ((volatile unsigned char *)block)[i] = pattern(i, 1);
    }
    return NULL;
}

static int readers_see_no_gap(void)
{
    unsigned char *block = malloc(SIZE), *copy = malloc(SIZE);
    pthread_t readers[2], writer;
    int broken = KEPT;

    paint(block, SIZE, 1);
    race.stop = false;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&readers[i], NULL, read_on, block) == 0, "no thread");
    CHECK(pthread_create(&writer, NULL, rewrite_on, block) == 0, "no thread");
    for (int round = 0; round < 200 && broken == KEPT; round++) {
        memcpy(copy, block, SIZE);
        broken = first_wrong(copy, SIZE, 0, 1) != SIZE_MAX;
        copy[round] ^= 1;
    }
    race.stop = true;
    for (int i = 0; i < 2; i++) {
        void *wrong;

        pthread_join(readers[i], &wrong);
        CHECK(wrong == NULL, "reader %d saw %lu wrong places", i, (unsigned long)(uintptr_t)wrong);
    }
    pthread_join(writer, NULL);
    CHECK(!broken, "a copy is wrong");
    free(block);
    free(copy);
    return KEPT;
}

static unsigned char *common;

static void *copy_change_free(void *number)
{
    uintptr_t wrong = 0;

    for (int round = 0; round < 60; round++) {
        unsigned char *mine = malloc(SIZE), *second = malloc(SIZE);
        size_t at = ((size_t)round * 37 + (uintptr_t)number * 11) % PAGES * PAGE;

        memcpy(mine, common, SIZE);
        mine[at] ^= 0xff;
        memcpy(second, mine, SIZE);
        mine[at] ^= 0xff;
        wrong += second[at] != (pattern(at, 2) ^ 0xff);
        wrong += first_wrong(mine + at, PAGE, at, 2) != SIZE_MAX;
        free(round % 2 == 0 ? mine : second);
        if (round % 2 != 0)
            second = mine;
        wrong += first_wrong(second + SIZE / 2, PAGE / 2, SIZE / 2, 2) != SIZE_MAX && at != SIZE / 2;
        free(second);
    }
    return (void *)wrong;
}

static int many_copy_one_source(void)
{
    pthread_t threads[6];

    common = malloc(SIZE);
    paint(common, SIZE, 2);
    for (uintptr_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, copy_change_free, (void *)i) == 0, "no thread");
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *wrong;

        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL, "thread %zu saw %lu wrong copies", i, (unsigned long)(uintptr_t)wrong);
    }
    CHECK(first_wrong(common, SIZE, 0, 2) == SIZE_MAX, "the source changed");
    free(common);
    return KEPT;
}

/* Where the copied range ends, in the middle of a page; what lies beyond belongs to other threads, in both blocks. */
#define BORDER (SIZE / 2 + 1234)

static void *count_beyond(void *block)
{
    volatile unsigned char *bytes = block;
    uint64_t random = 3;
    uintptr_t wrong = 0;

    while (!race.stop) {
        size_t at = BORDER + next_random(&random) % (2 * PAGE);
        unsigned char value = (unsigned char)random;

        bytes[at] = value;
        for (int i = 0; i < 20; i++)
            wrong += bytes[at] != value;
    }
    return (void *)wrong;
}

static int neighbours_are_left_alone(void)
{
    unsigned char *from = malloc(SIZE), *to = malloc(SIZE);
    pthread_t threads[2];

    paint(from, SIZE, 3);
    paint(to, SIZE, 4);
    race.stop = false;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, count_beyond, i == 0 ? from : to) == 0, "no thread");
    for (int round = 0; round < 300; round++) {
        paint(from, PAGE * 40, 3);
        memcpy(to, from, BORDER);
    }
    race.stop = true;
    for (int i = 0; i < 2; i++) {
        void *wrong;

        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL, "%lu bytes beyond the %s changed", (unsigned long)(uintptr_t)wrong, i == 0 ? "source" : "target");
    }
    CHECK(first_wrong(to, BORDER, 0, 3) == SIZE_MAX, "the copy is wrong");
    free(from);
    free(to);
    return KEPT;
}

/* What NumPy does to an array of 4 MiB, and what a program may do to any: an array is as many mappings as its advice has pieces. */
static void advise_in_pieces(unsigned char *block, int round)
{
    if (round == 0) {
        madvise(block + PAGE, SIZE - PAGE, MADV_HUGEPAGE);
        return;
    }
    for (size_t at = 0; at + 5 * PAGE <= SIZE; at += (size_t)(7 * round * round) * PAGE)
        madvise(block + at, 5 * PAGE, MADV_HUGEPAGE);
}

static void *write_one_page(void *block)
{
    volatile unsigned char *byte = (unsigned char *)block + SIZE - PAGE;
    uintptr_t lost = 0;
    unsigned char value = *byte;

    while (!race.stop) {
        lost += *byte != value;
        *byte = ++value;
        race.begun = true;
    }
    return (void *)lost;
}

static int arrays_of_many_mappings_are_shared(void)
{
    for (int round = 0; round < 8; round++) {
        unsigned char *block = malloc(SIZE), *copy = malloc(SIZE);
        pthread_t thread;
        void *lost;

        advise_in_pieces(block, round);
        paint(block, SIZE, 5);
        race.stop = false;
        race.begun = false;
        CHECK(pthread_create(&thread, NULL, write_one_page, block) == 0, "no thread");
        while (!race.begun) /* a thread that only just begins blocks all signals, and the mprotect guard declines then */
            sched_yield();
        memcpy(copy, block, SIZE);
        race.stop = true;
        pthread_join(thread, &lost);
        CHECK(lost == NULL, "round %d: %lu writes are lost", round, (unsigned long)(uintptr_t)lost);
        CHECK(shows_store(copy, SIZE) == sharing, "round %d: the copy is %sshared", round, sharing ? "not " : "");
        CHECK(holds(copy, SIZE - PAGE, 0, 5) && holds(block, SIZE - PAGE, 0, 5), "round %d: wrong bytes", round);
        free(block);
        free(copy);
    }
    return KEPT;
}

/* Runs in a process of its own on our memory, and calls nothing. */
static int count_in_company(void *unused)
{
    (void)unused;
    for (size_t page = 0; !race.stop; page = (page + 13) % PAGES) {
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

    race.block = malloc(SIZE);
    race.twin = map(SIZE);
    memset(race.block, 0, SIZE);
    race.stop = false;
    pid = clone(count_in_company, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, NULL);
    CHECK(pid > 0, "no clone");
    for (int round = 0; round < 300; round++) {
        for (size_t word = 8; word < SIZE / sizeof(uint64_t); word += WORDS)
            put(&race.block[word], 1);
        memcpy(copy, race.block, SIZE);
    }
    race.stop = true;
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
        {"readers see no gap", readers_see_no_gap},
        {"many threads copy one source, change their copies and free them", many_copy_one_source},
        {"threads that write next to a copied range lose nothing", neighbours_are_left_alone},
        {"an array of several mappings is shared while other threads run", arrays_of_many_mappings_are_shared},
        /* The last one: afterwards the shim never takes itself to be alone again. */
        {"a process that shares our memory loses no write", processes_that_share_memory_lose_nothing},
    };

    (void)words;
    sharing = count == 1;
    return tell_all(stories, COUNT_OF(stories));
}
