/* SPDX-License-Identifier: MIT */
/* What the workloads of the benchmark share: arrays whose contents can be checked, a clock, marks, and the result.

   A workload is an ordinary program that knows nothing of the shim. At a mark it prints `step SECONDS NAME` and waits for a line
   on its stdin (tests/apps/stepped.py), so that the driver can measure its memory from outside; the clock stands still meanwhile.
   Its last line is its result, one object of JSON. A wrong byte ends it with status 1 and no result. */
#ifndef COWSHIM_BENCH_H
#define COWSHIM_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)
#define WORDS (PAGE / sizeof(uint64_t))
#define MIB ((size_t)1 << 20)

/* An array of whole pages. Each page was written with a stamp, from which all its words follow. */
struct array {
    uint64_t *words;
    size_t pages;
    bool huge; /* huge pages were asked for, as NumPy does from 4 MiB on */
};

struct array array_make(size_t size, bool huge); /* contents undefined */
struct array array_copy(const struct array *from);
void array_drop(struct array *array);

void array_write_page(struct array *array, size_t page, uint64_t stamp);
void array_write(struct array *array, uint64_t stamp); /* all of it, by the program's own stores */
void array_check_page(const struct array *array, size_t page, uint64_t stamp);
void array_check(const struct array *array, uint64_t stamp);
uint64_t array_read_pages(const struct array *array); /* one word of each page */

/* Which pages a generation changes. Any page changed by generation g has the stamp g. */
struct plan {
    size_t pages; /* of the array */
    size_t count; /* changed in each generation */
    bool scattered;
};

void plan_apply(const struct plan *plan, unsigned generation, struct array *array);
/* Stamps of all pages after a generation, from those before it. */
void plan_stamp(const struct plan *plan, unsigned generation, uint16_t *stamps);
void plan_check(const struct plan *plan, const uint16_t *stamps, const struct array *array);

/* Options: key=value, sizes with K, M, G. */
uint64_t option(const char *key, uint64_t otherwise);
bool option_is(const char *key, const char *word);

double clock_ms(void); /* without the time spent at marks */
void mark(const char *name);
void result_time(const char *name, double value); /* milliseconds, unless the name says otherwise */
void fail(const char *words) __attribute__((noreturn));

/* One function each; the table in workloads.c names them. */
void workload_first(void);
void workload_unchanged(void);
void workload_copies(void);
void workload_views(void);
void workload_many(void);
void workload_generations(void);
void workload_rewrite_copy(void);
void workload_rewrite_chain(void);
void workload_rewrite_both(void);
void workload_allocate(void);
void workload_memcpy(void);
void workload_malloc(void);
void workload_threads(void);
void workload_diff(void);
void workload_ring(void);

#endif
