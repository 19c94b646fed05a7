/* SPDX-License-Identifier: MIT */
/* Chains of copies, and copies that are wholly rewritten. */
#include <stdlib.h>

#include "bench.h"

/* Every stamp of a page is a generation below 60000; 0 is the first array. */
static void check_generations(const struct plan *plan, struct array *alive, unsigned count, unsigned keep, uint16_t *stamps)
{
    for (unsigned generation = 0; generation <= count; generation++) {
        if (generation > 0)
            plan_stamp(plan, generation, stamps);
        if (generation + keep > count)
            plan_check(plan, stamps, &alive[generation % keep]);
    }
}

void workload_generations(void)
{
    size_t size = option("size", 256 * MIB);
    unsigned count = (unsigned)option("count", 200);
    unsigned keep = (unsigned)option("keep", 2);
    struct plan plan = {size / PAGE, option("changed", size / PAGE / 100), option("scattered", 0) != 0};
    struct array *alive = calloc(keep, sizeof *alive);
    uint16_t *stamps = malloc(plan.pages * sizeof *stamps);
    double start;

    for (size_t page = 0; page < plan.pages; page++)
        stamps[page] = 0;
    mark("start");
    alive[0] = array_make(size, option("huge", 0) != 0);
    array_write(&alive[0], 0);
    start = clock_ms();
    for (unsigned generation = 1; generation <= count; generation++) {
        struct array *next = &alive[generation % keep];
        struct array copy = array_copy(&alive[(generation - 1) % keep]);

        plan_apply(&plan, generation, &copy);
        if (generation % 20 == 0)
            mark("generation");
        if (next->words != NULL)
            array_drop(next);
        *next = copy;
    }
    result_time("generation", (clock_ms() - start) / count);
    mark("end");
    check_generations(&plan, alive, count, keep, stamps);
}

void workload_rewrite_copy(void)
{
    struct array source = array_make(option("size", 256 * MIB), option("huge", 0) != 0);
    unsigned count = (unsigned)option("count", 30);
    double start;

    array_write(&source, 0);
    start = clock_ms();
    for (unsigned i = 1; i <= count; i++) {
        struct array copy = array_copy(&source);

        mark("copied");
        array_write(&copy, i);
        mark("rewritten");
        if (i == count)
            result_time("all", clock_ms() - start);
        array_check_page(&copy, copy.pages / 2, i);
        if (i == count)
            array_check(&copy, i);
        array_drop(&copy);
    }
    array_check(&source, 0);
}

void workload_rewrite_chain(void)
{
    struct array array = array_make(option("size", 256 * MIB), option("huge", 0) != 0);
    unsigned count = (unsigned)option("count", 30);
    double start;

    array_write(&array, 0);
    start = clock_ms();
    for (unsigned i = 1; i <= count; i++) {
        struct array copy = array_copy(&array);

        mark("copied");
        array_check_page(&copy, copy.pages / 2, i - 1);
        array_drop(&array);
        array_write(&copy, i);
        mark("rewritten");
        array = copy;
    }
    result_time("all", clock_ms() - start);
    array_check(&array, count);
}

/* A large allocation that comes and goes is an event to the shim; natively it is nothing. */
static void cause_event(void)
{
    free(malloc(4 * MIB));
}

void workload_rewrite_both(void)
{
    struct array source = array_make(option("size", 256 * MIB), option("huge", 0) != 0);
    struct array copy;
    double start;

    array_write(&source, 0);
    start = clock_ms();
    copy = array_copy(&source);
    array_write(&source, 1);
    array_write(&copy, 2);
    mark("rewritten");
    cause_event();
    result_time("all", clock_ms() - start);
    mark("end");
    array_check(&source, 1);
    array_check(&copy, 2);
}
