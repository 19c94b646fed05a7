/* SPDX-License-Identifier: MIT */
/* workloads NAME [key=value...]: one row of the benchmark. See bench.h for what it prints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

static const struct {
    const char *name;
    void (*run)(void);
    const char *options;
} workloads[] = {
    {"first", workload_first, "size huge: the first copy of a block"},
    {"unchanged", workload_unchanged, "size copies: copies of a block that is only read between them"},
    {"copies", workload_copies, "size copies percent: live copies, percent of each changed"},
    {"views", workload_views, "size by=malloc|hand do=read|write: first use of each page of a copy"},
    {"many", workload_many, "size copies: live copies of a small block, one page of each changed"},
    {"generations", workload_generations, "size count changed=pages scattered keep: b = copy(a), change b, drop the oldest"},
    {"rewrite-copy", workload_rewrite_copy, "size count huge: copy, rewrite the copy, drop it"},
    {"rewrite-chain", workload_rewrite_chain, "size count huge: b = copy(a), drop a, rewrite b"},
    {"rewrite-both", workload_rewrite_both, "size huge: copy, rewrite both"},
    {"allocate", workload_allocate, "fill=loop|memset count: malloc, fill, free of 1 to 64 MiB"},
    {"memcpy", workload_memcpy, "calls of 1 to 4096 bytes"},
    {"malloc", workload_malloc, "malloc and free of 16 to 1024 bytes"},
    {"threads", workload_threads, "threads size count: threads that copy arrays of their own"},
    {"diff", workload_diff, "size scattered huge: cowshim_diff and memcmp of a block and its copy, 1 % changed"},
    {"ring", workload_ring, "size count scattered huge: checkpoints in memory, what changed written to a file"},
};

#define MOST_RESULTS 32

static char **options;
static double at_marks;
static double last_mark;
static clockid_t clock_used;
static struct {
    const char *name;
    double value;
} results[MOST_RESULTS];
static size_t result_count;

static const char *option_text(const char *key)
{
    size_t length = strlen(key);

    for (char **each = options; *each != NULL; each++)
        if (strncmp(*each, key, length) == 0 && (*each)[length] == '=')
            return *each + length + 1;
    return NULL;
}

static unsigned shift_of(const char *unit)
{
    static const char units[] = "KMG";
    const char *found = *unit != '\0' && unit[1] == '\0' ? strchr(units, *unit) : NULL;

    if (*unit == '\0')
        return 0;
    if (found == NULL)
        fail("an option is not a number");
    return 10 * (unsigned)(found - units + 1);
}

uint64_t option(const char *key, uint64_t otherwise)
{
    const char *text = option_text(key);
    char *end;
    uint64_t value;

    if (text == NULL)
        return otherwise;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || end == text)
        fail("an option is not a number");
    return value << shift_of(end);
}

bool option_is(const char *key, const char *word)
{
    const char *text = option_text(key);

    return text != NULL && strcmp(text, word) == 0;
}

/* Time on the processor is what remains steady on a machine that others use too (bench.py --clock cpu). */
static clockid_t chosen_clock(void)
{
    const char *text = getenv("BENCH_CLOCK");

    return text != NULL && strcmp(text, "cpu") == 0 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(clock_used, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

double clock_ms(void)
{
    return now() - at_marks;
}

void mark(const char *name)
{
    double start = now();
    int each;

    printf("step %.6f %s\n", (start - last_mark) / 1e3, name);
    fflush(stdout);
    do
        each = getchar();
    while (each != '\n' && each != EOF);
    last_mark = now();
    at_marks += last_mark - start;
}

void result_time(const char *name, double value)
{
    if (result_count == MOST_RESULTS)
        fail("too many results");
    results[result_count].name = name;
    results[result_count++].value = value;
}

void fail(const char *words)
{
    fflush(stdout);
    fprintf(stderr, "workloads: %s\n", words);
    exit(1);
}

static void print_results(const char *workload)
{
    printf("{\"workload\": \"%s\"", workload);
    for (size_t i = 0; i < result_count; i++)
        printf(", \"%s\": %.6f", results[i].name, results[i].value);
    puts("}");
}

static int usage(void)
{
    fputs("usage: workloads NAME [key=value...]\n", stderr);
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        fprintf(stderr, "  %-14s %s\n", workloads[i].name, workloads[i].options);
    return 2;
}

int main(int argc, char **argv)
{
    static char input[64];

    if (argc < 2)
        return usage();
    options = argv + 2;
    setvbuf(stdin, input, _IOLBF, sizeof input);
    clock_used = chosen_clock();
    last_mark = now();
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(argv[1], workloads[i].name) == 0) {
            workloads[i].run();
            print_results(argv[1]);
            return 0;
        }
    }
    return usage();
}
