/* SPDX-License-Identifier: MIT */
/* Programs that use cowshim.h: what changed since a copy was made, and checkpoints that write only that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "cowshim.h"

/* A bit of memory for each page: what was found. */
struct found {
    unsigned char *pages;
};

static int note(void *context, size_t offset, size_t length)
{
    struct found *found = context;

    memset(found->pages + offset / PAGE, 1, length / PAGE);
    return 0;
}

static double compare_all(const struct array *a, const struct array *b, unsigned char *differs)
{
    double start = clock_ms();

    for (size_t page = 0; page < a->pages; page++)
        differs[page] = memcmp(a->words + page * WORDS, b->words + page * WORDS, PAGE) != 0;
    return clock_ms() - start;
}

static double find_all(const struct array *a, const struct array *b, unsigned char *differs)
{
    struct found found = {differs};
    double start;

    memset(differs, 0, a->pages);
    start = clock_ms();
    if (cowshim_diff(a->words, b->words, a->pages * PAGE, 0, note, &found) < 0)
        fail("cowshim_diff failed");
    return clock_ms() - start;
}

/* First what a program asks that keeps checkpoints: what have I changed since the copy was made? Then memcmp, when every page was read
   before and no page fault is charged to it; and the same question again, now that every page has an entry in the page tables. */
void workload_diff(void)
{
    size_t size = option("size", 256 * MIB);
    struct plan plan = {size / PAGE, size / PAGE / 100, option("scattered", 0) != 0};
    struct array a = array_make(size, option("huge", 0) != 0);
    struct array b = a;
    unsigned char *differs = malloc(a.pages);
    unsigned char *found = malloc(a.pages);
    double compared = 0;
    double fresh, searched;

    array_write(&a, 0);
    b.words = cowshim_dup(a.words, size);
    if (b.words == NULL)
        fail("no memory");
    plan_apply(&plan, 1, &a);
    fresh = find_all(&a, &b, found);
    for (int round = 0; round < 2; round++) /* the last one counts */
        compared = compare_all(&a, &b, differs);
    if (memcmp(found, differs, a.pages) != 0)
        fail("cowshim_diff and memcmp disagree");
    searched = find_all(&a, &b, found);
    if (memcmp(found, differs, a.pages) != 0)
        fail("cowshim_diff and memcmp disagree, when every page was read");
    result_time("memcmp", compared);
    result_time("diff", fresh);
    result_time("diff_read", searched);
    mark("end");
    free(found);
    free(differs);
}

struct file {
    const char *state;
    int descriptor;
    size_t written;
};

static int save(void *context, size_t offset, size_t length)
{
    struct file *file = context;

    file->written += length;
    return pwrite(file->descriptor, file->state + offset, length, (off_t)offset) != (ssize_t)length;
}

static void check_file(const struct file *file, const struct array *state)
{
    static uint64_t page[WORDS];

    for (size_t i = 0; i < state->pages; i++)
        if (pread(file->descriptor, page, PAGE, (off_t)(i * PAGE)) != (ssize_t)PAGE || memcmp(page, state->words + i * WORDS, PAGE) != 0)
            fail("the file does not restore the state");
}

/* A simulation that keeps its last checkpoints in memory, and writes what changed since the one before to a file. */
void workload_ring(void)
{
    size_t size = option("size", 256 * MIB);
    unsigned count = (unsigned)option("count", 10);
    struct plan plan = {size / PAGE, size / PAGE / 100, option("scattered", 0) != 0};
    FILE *stream = tmpfile();
    struct file file = {NULL, stream == NULL ? -1 : fileno(stream), 0};
    struct array state;
    void **ring = calloc(count, sizeof *ring);
    double start;

    mark("start");
    state = array_make(size, option("huge", 0) != 0);
    file.state = (const char *)state.words;
    array_write(&state, 0);
    ring[0] = cowshim_dup(state.words, size);
    if (save(&file, 0, size) != 0)
        fail("the file cannot be written");
    file.written = 0;
    start = clock_ms();
    for (unsigned generation = 1; generation < 2 * count; generation++) {
        unsigned slot = generation % count;

        plan_apply(&plan, generation, &state);
        if (cowshim_diff(state.words, ring[(generation - 1) % count], size, 0, save, &file) < 0)
            fail("the file cannot be written");
        free(ring[slot]);
        ring[slot] = cowshim_dup(state.words, size);
        if (ring[slot] == NULL)
            fail("no memory");
    }
    result_time("checkpoint", (clock_ms() - start) / (2 * count - 1));
    result_time("written_mib", (double)file.written / (double)MIB / (2 * count - 1));
    mark("end");
    check_file(&file, &state);
    fclose(stream);
}
