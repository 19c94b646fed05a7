/* SPDX-License-Identifier: MIT */
/* Threads that read, write, copy and free while other threads copy the same blocks: nobody sees a gap, and what lies beside is left
   alone. */
#include <sched.h>

#include "race.h"

/* The thread's half of the pages is rewritten with what it holds already: it must never read as anything else. */
static void *read_on(void *block)
{
    uintptr_t wrong = 0;

    for (size_t page = 0; !stop; page = (page + 7) % PAGES)
        wrong += first_wrong((unsigned char *)block + page * PAGE, 64, page * PAGE, 1) != SIZE_MAX;
    return (void *)wrong;
}

static void *rewrite_on(void *block)
{
    uint64_t random = 1;

    while (!stop) {
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
    stop = false;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&readers[i], NULL, read_on, block) == 0, "no thread");
    CHECK(pthread_create(&writer, NULL, rewrite_on, block) == 0, "no thread");
    for (int round = 0; round < 200 && broken == KEPT; round++) {
        memcpy(copy, block, SIZE);
        broken = first_wrong(copy, SIZE, 0, 1) != SIZE_MAX;
        copy[round] ^= 1;
    }
    stop = true;
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

    while (!stop) {
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
    stop = false;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, count_beyond, i == 0 ? from : to) == 0, "no thread");
    for (int round = 0; round < 300; round++) {
        paint(from, PAGE * 40, 3);
        memcpy(to, from, BORDER);
    }
    stop = true;
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

static _Atomic bool begun;

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

    while (!stop) {
        lost += *byte != value;
        *byte = ++value;
        begun = true;
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
        stop = false;
        begun = false;
        CHECK(pthread_create(&thread, NULL, write_one_page, block) == 0, "no thread");
        while (!begun) /* a thread that only just begins blocks all signals, and the mprotect guard declines then */
            sched_yield();
        memcpy(copy, block, SIZE);
        stop = true;
        pthread_join(thread, &lost);
        CHECK(lost == NULL, "round %d: %lu writes are lost", round, (unsigned long)(uintptr_t)lost);
        CHECK(shows_store(copy, SIZE) == sharing, "round %d: the copy is %sshared", round, sharing ? "not " : "");
        CHECK(holds(copy, SIZE - PAGE, 0, 5) && holds(block, SIZE - PAGE, 0, 5), "round %d: wrong bytes", round);
        free(block);
        free(copy);
    }
    return KEPT;
}

/* race_copies [plain] */
int main(int count, char **words)
{
    static const struct story stories[] = {
        {"readers see no gap", readers_see_no_gap},
        {"many threads copy one source, change their copies and free them", many_copy_one_source},
        {"threads that write next to a copied range lose nothing", neighbours_are_left_alone},
        {"an array of several mappings is shared while other threads run", arrays_of_many_mappings_are_shared},
    };

    (void)words;
    sharing = count == 1;
    return tell_all(stories, COUNT_OF(stories));
}
