/* SPDX-License-Identifier: MIT */
/* What must cost nothing, and threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define BATCHES 60

static const char *name_of(size_t size, const char *unit)
{
    char *name = malloc(32);

    snprintf(name, 32, "%zu %s", size, unit);
    return name;
}

static int compare(const void *a, const void *b)
{
    double one = *(const double *)a;
    double other = *(const double *)b;

    return (one > other) - (one < other);
}

/* Not the median: a machine that is not ours alone only ever adds to what a batch takes. */
static double quartile(double *times, size_t count)
{
    qsort(times, count, sizeof *times, compare);
    return times[count / 4];
}

static double fastest(double *times, size_t count)
{
    qsort(times, count, sizeof *times, compare);
    return times[0];
}

static double allocate_once(size_t size, bool by_memset)
{
    double start = clock_ms();
    struct array array = array_make(size, false);

    if (by_memset)
        memset(array.words, 1, size);
    else
        array_write(&array, 1);
    if (((volatile char *)array.words)[size / 2] == 0 && by_memset)
        fail("a filled byte is zero");
    array_drop(&array);
    return clock_ms() - start;
}

void workload_allocate(void)
{
    static double times[4096];
    bool by_memset = option_is("fill", "memset");

    for (size_t size = 1; size <= 64; size *= 2) {
        size_t count = option("count", 1024) / size;

        if (count < 12)
            count = 12;
        for (size_t i = 0; i < count && i < 4096; i++)
            times[i] = allocate_once(size * MIB, by_memset);
        result_time(name_of(size, "MiB"), quartile(times, count));
    }
}

/* Built with -fno-builtin: each of these is a call through the PLT. */
static double copy_batch(char *to, const char *from, size_t size, size_t calls)
{
    double start = clock_ms();

    for (size_t i = 0; i < calls; i++)
        memcpy(to, from, size);
    return (clock_ms() - start) * 1e6 / (double)calls;
}

void workload_memcpy(void)
{
    static char from[4096], to[4096];
    static const size_t sizes[] = {1, 8, 16, 64, 256, 1024, 4096};
    double times[BATCHES];

    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (char)(i * 7 + 1);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t i = 0; i < BATCHES; i++)
            times[i] = copy_batch(to, from, sizes[s], 200000);
        result_time(name_of(sizes[s], "B"), fastest(times, BATCHES));
    }
    if (memcmp(from, to, sizeof to) != 0)
        fail("wrong contents");
}

static double pair_batch(size_t size, size_t pairs)
{
    double start = clock_ms();

    for (size_t i = 0; i < pairs; i++) {
        volatile char *bytes = malloc(size);

        bytes[0] = 1;
        free((void *)bytes);
    }
    return (clock_ms() - start) * 1e6 / (double)pairs;
}

void workload_malloc(void)
{
    static const size_t sizes[] = {16, 64, 256, 1024};
    double times[BATCHES];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t i = 0; i < BATCHES; i++)
            times[i] = pair_batch(sizes[s], 100000);
        result_time(name_of(sizes[s], "B"), fastest(times, BATCHES));
    }
}

struct worker {
    pthread_t thread;
    struct array source;
    unsigned count;
    struct plan plan;
};

static pthread_barrier_t barrier;

static void *copy_own_array(void *argument)
{
    struct worker *worker = argument;

    pthread_barrier_wait(&barrier);
    for (unsigned i = 1; i <= worker->count; i++) {
        struct array copy = array_copy(&worker->source);

        plan_apply(&worker->plan, i, &copy);
        array_check_page(&copy, i * worker->plan.count % copy.pages, i);
        array_check_page(&copy, (i + 1) * worker->plan.count % copy.pages, 0);
        array_drop(&copy);
    }
    pthread_barrier_wait(&barrier);
    return NULL;
}

void workload_threads(void)
{
    unsigned threads = (unsigned)option("threads", 2);
    size_t size = option("size", 64 * MIB);
    struct worker *workers = calloc(threads, sizeof *workers);
    double start;

    pthread_barrier_init(&barrier, NULL, threads + 1);
    for (unsigned i = 0; i < threads; i++) {
        struct worker *worker = &workers[i];

        worker->source = array_make(size, false);
        array_write(&worker->source, 0);
        worker->count = (unsigned)option("count", 10);
        worker->plan = (struct plan){size / PAGE, size / PAGE / 100, false};
        if (pthread_create(&worker->thread, NULL, copy_own_array, worker) != 0)
            fail("no thread");
    }
    pthread_barrier_wait(&barrier);
    start = clock_ms();
    pthread_barrier_wait(&barrier);
    result_time("all", clock_ms() - start);
    mark("end");
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        array_check(&workers[i].source, 0);
    }
}
