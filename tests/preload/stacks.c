/* SPDX-License-Identifier: MIT */
/* Threads whose stacks are small, or lie in what is copied, and threads that take no signals: copies beside them and on them are right. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "story.h"

#define SIZE ((size_t)2 << 20)

static unsigned char *from, *to;

static volatile bool stop;

static void *write_without_signals(void *unused)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (size_t i = 0; !stop; i = (i + 997) % SIZE)
        ((volatile unsigned char *)from)[i] = pattern(i, 1);
    return unused;
}

static int copy_beside(pthread_t thread)
{
    int broken = KEPT;

    for (int round = 0; round < 100 && broken == KEPT; round++) {
        memcpy(to, from, SIZE);
        broken = first_wrong(to, SIZE, 0, 1) != SIZE_MAX;
    }
    stop = true;
    pthread_join(thread, NULL);
    CHECK(!broken, "the copy is wrong");
    return KEPT;
}

static int writers_may_block_signals(void)
{
    pthread_t thread;

    stop = false;
    paint(from, SIZE, 1);
    CHECK(pthread_create(&thread, NULL, write_without_signals, NULL) == 0, "no thread");
    usleep(20000); /* a thread that begins to block SIGSEGV during a seal is a limit that doc/limits.md names */
    return copy_beside(thread);
}

#define STACK ((size_t)256 << 10)

/* Its frames are written all the time, at the end of the block that is copied. */
static __attribute__((noinline)) unsigned depth(unsigned n)
{
    volatile unsigned char frame[1000];

    for (size_t i = 0; i < sizeof frame; i += 100)
        frame[i] = (unsigned char)n;
    return n == 0 ? 0 : 1 + depth(n - 1) + (frame[500] != (unsigned char)n);
}

static void *recurse(void *unused)
{
    unsigned wrong = 0;

    while (!stop)
        wrong += depth(200) != 200;
    return wrong != 0 ? (void *)1 : unused;
}

static int copy_around_a_stack(unsigned char *block, unsigned char *copy, pthread_attr_t *attributes)
{
    pthread_t thread;
    void *result;

    stop = false;
    paint(block, SIZE, 5);
    CHECK(pthread_attr_setstack(attributes, block + SIZE - STACK, STACK) == 0, "pthread_attr_setstack");
    CHECK(pthread_create(&thread, attributes, recurse, NULL) == 0, "no thread");
    usleep(5000); /* it runs, and all of the block is private */
    for (int round = 0; round < 10; round++) {
        memcpy(copy, block, SIZE);
        CHECK(first_wrong(copy, SIZE - STACK, 0, 5) == SIZE_MAX, "the copy is wrong");
        usleep(100);
    }
    stop = true;
    pthread_join(thread, &result);
    CHECK(result == NULL, "the thread counted wrongly");
    return KEPT;
}

static int stacks_may_lie_in_blocks(void)
{
    pthread_attr_t attributes;
    int broken = KEPT;

    pthread_attr_init(&attributes);
    for (int i = 0; i < 20 && broken == KEPT; i++) {
        unsigned char *block = malloc(SIZE), *copy = malloc(SIZE);

        broken = copy_around_a_stack(block, copy, &attributes);
        free(block);
        free(copy);
    }
    pthread_attr_destroy(&attributes);
    return broken;
}

static void *copy_on_this_stack(void *unused)
{
    unsigned char *mine = malloc(SIZE), *other = malloc(SIZE), *large = malloc(20 * SIZE);

    memcpy(mine, from, SIZE);
    mine[5] = 1;
    memcpy(other, mine, SIZE);
    mine = realloc(mine, 2 * SIZE);
    memset(large, 1, 20 * SIZE);
    large = realloc(large, 18 * SIZE);
    memcpy(large, large + 9 * SIZE, 9 * SIZE);
    madvise(other, SIZE, MADV_DONTNEED);
    free(mine);
    free(other);
    free(large);
    return unused;
}

static int threads_may_have_16_KiB(void)
{
    pthread_attr_t attributes;

    paint(from, SIZE, 1);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0, "pthread_attr_setstacksize");
    for (int i = 0; i < 10; i++) {
        pthread_t threads[3];

        for (size_t j = 0; j < COUNT_OF(threads); j++)
            CHECK(pthread_create(&threads[j], &attributes, copy_on_this_stack, NULL) == 0, "no thread");
        for (size_t j = 0; j < COUNT_OF(threads); j++)
            pthread_join(threads[j], NULL);
    }
    pthread_attr_destroy(&attributes);
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"threads with the smallest stack copy, grow, fill and free", threads_may_have_16_KiB},
        {"a thread that blocks all signals writes to what is copied", writers_may_block_signals},
        {"a thread's stack lies in a block that is copied", stacks_may_lie_in_blocks},
    };

    from = malloc(SIZE);
    to = malloc(SIZE);
    paint(from, SIZE, 1);
    return tell_all(stories, COUNT_OF(stories));
}
