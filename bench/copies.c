/* SPDX-License-Identifier: MIT */
/* Copies that are kept, read, or changed in part. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define STAMP_SOURCE 60000
#define STAMP_CHANGED 60001

static struct array make_filled(size_t size, bool huge)
{
    struct array array = array_make(size, huge);

    array_write(&array, STAMP_SOURCE);
    return array;
}

void workload_first(void)
{
    struct array source = make_filled(option("size", 256 * MIB), option("huge", 0) != 0);
    double start = clock_ms();
    struct array copy = array_copy(&source);

    result_time("copy", clock_ms() - start);
    mark("copied");
    array_check(&copy, STAMP_SOURCE);
    array_check(&source, STAMP_SOURCE);
}

/* The source has been copied once and is read, page by page, before each copy that is timed. */
void workload_unchanged(void)
{
    struct array source = make_filled(option("size", 256 * MIB), option("huge", 0) != 0);
    unsigned count = (unsigned)option("copies", 5);
    struct array copy = array_copy(&source);
    double passed = 0;

    for (unsigned i = 0; i < count; i++) {
        double start;

        array_drop(&copy);
        array_read_pages(&source);
        start = clock_ms();
        copy = array_copy(&source);
        passed += clock_ms() - start;
    }
    result_time("copy", passed / count);
    mark("copied");
    array_check(&copy, STAMP_SOURCE);
}

/* Copy number i changes a stretch of its own, so that the copies differ from each other too. */
void workload_copies(void)
{
    size_t size = option("size", 256 * MIB);
    unsigned count = (unsigned)option("copies", 8);
    struct array *copies = calloc(count, sizeof *copies);
    struct array source;
    size_t changed, stride;
    double start;

    mark("start");
    source = make_filled(size, option("huge", 0) != 0);
    changed = source.pages * option("percent", 10) / 100;
    stride = count > 1 ? (source.pages - changed) / (count - 1) : 0;
    start = clock_ms();
    for (unsigned i = 0; i < count; i++)
        copies[i] = array_copy(&source);
    result_time("copy", clock_ms() - start);
    mark("copied");
    start = clock_ms();
    for (unsigned i = 0; i < count; i++)
        for (size_t page = 0; page < changed; page++)
            array_write_page(&copies[i], i * stride + page, STAMP_CHANGED + i);
    result_time("change", clock_ms() - start);
    mark("end");
    array_check(&source, STAMP_SOURCE);
    for (unsigned i = 0; i < count; i++)
        for (size_t page = 0; page < source.pages; page++)
            array_check_page(&copies[i], page, page - i * stride < changed ? STAMP_CHANGED + i : STAMP_SOURCE);
}

/* What a programmer would write who knows of all this: a memfd, and private mappings of it for source and copy. */
static int open_by_hand(size_t size)
{
    int fd = memfd_create("by hand", MFD_CLOEXEC);
    struct array array = {NULL, size / PAGE, false};

    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        fail("no memfd");
    array.words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (array.words == MAP_FAILED)
        fail("no mapping");
    array_write(&array, STAMP_SOURCE);
    munmap(array.words, size);
    return fd;
}

static struct array map_by_hand(int fd, size_t size)
{
    struct array array = {mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), size / PAGE, false};

    if (array.words == MAP_FAILED)
        fail("no mapping");
    return array;
}

static void use_pages(struct array *array, bool write)
{
    volatile char *bytes = (volatile char *)array->words;

    if (!write) {
        array_read_pages(array);
        return;
    }
    for (size_t page = 0; page < array->pages; page++)
        bytes[page * PAGE + PAGE / 2] = 1;
}

/* Puts back what was there; then all of the copy must be as it was. */
static void undo_writes(struct array *copy)
{
    char *bytes = (char *)copy->words;

    for (size_t page = 0; page < copy->pages; page++) {
        uint64_t *word = copy->words + page * WORDS + WORDS / 2;

        if (bytes[page * PAGE + PAGE / 2] != 1)
            fail("a written byte is gone");
        *word = word[-1] + 1; /* the words of a page count up */
    }
}

void workload_views(void)
{
    size_t size = option("size", 256 * MIB);
    bool write = option_is("do", "write");
    int fd = option_is("by", "hand") ? open_by_hand(size) : -1;
    struct array source = fd >= 0 ? map_by_hand(fd, size) : make_filled(size, false);
    struct array copy = fd >= 0 ? map_by_hand(fd, size) : array_copy(&source);
    double start = clock_ms();

    use_pages(&copy, write);
    result_time("use", clock_ms() - start);
    mark("used");
    if (write)
        undo_writes(&copy);
    array_check(&copy, STAMP_SOURCE);
    array_check(&source, STAMP_SOURCE);
}

void workload_many(void)
{
    size_t size = option("size", MIB);
    unsigned count = (unsigned)option("copies", 20000);
    struct array *copies = malloc(count * sizeof *copies);
    struct array source;
    double start;

    for (unsigned i = 0; i < count; i++)
        copies[i].pages = 1; /* its memory is there before the first mark */
    mark("start");
    source = make_filled(size, false);
    start = clock_ms();
    for (unsigned i = 0; i < count; i++) {
        copies[i] = array_copy(&source);
        array_write_page(&copies[i], i % source.pages, STAMP_CHANGED + i);
    }
    result_time("copy_us", (clock_ms() - start) * 1e3 / count);
    result_time("copies", count);
    mark("end");
    array_check(&source, STAMP_SOURCE);
    for (unsigned i = 0; i < count; i++)
        for (size_t page = 0; page < source.pages; page++)
            array_check_page(&copies[i], page, page == i % source.pages ? STAMP_CHANGED + i : STAMP_SOURCE);
    start = clock_ms();
    for (unsigned i = 0; i < count; i++)
        array_drop(&copies[i]);
    result_time("drop_us", (clock_ms() - start) * 1e3 / count);
}
