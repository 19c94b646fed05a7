/* SPDX-License-Identifier: MIT */
/* The bytes of what malloc and its kin give: there, zero, kept and given back, for blocks that show a store, too, over any allocator. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "alloc.h"

static int memory_is_all_there(void)
{
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *block = malloc(sizes[i]);
        size_t usable = malloc_usable_size(block);

        CHECK(block != NULL, "malloc(%zu) is NULL", sizes[i]);
        CHECK((uintptr_t)block % 16 == 0 || sizes[i] < 16, "malloc(%zu) is %p", sizes[i], (void *)block);
        CHECK(usable >= sizes[i], "%zu of %zu bytes are usable", usable, sizes[i]);
        paint(block, usable, 1);
        CHECK(first_wrong(block, usable, 0, 1) == SIZE_MAX, "malloc(%zu) does not hold what was written", sizes[i]);
        free(block);
    }
    return KEPT;
}

static int usable_bytes_survive(void)
{
    unsigned char *block = malloc(BIG);
    size_t usable = malloc_usable_size(block);
    unsigned char *other = malloc(usable);

    paint(block, usable, 2);
    memcpy(other, block, usable);
    CHECK(first_wrong(other, usable, 0, 2) == SIZE_MAX, "a copy of all usable bytes differs");
    paint(other, usable, 3);
    CHECK(first_wrong(block, usable, 0, 2) == SIZE_MAX, "writing to the copy changed the original");
    block = realloc(block, usable + THRESHOLD);
    CHECK(first_wrong(block, usable, 0, 2) == SIZE_MAX, "realloc lost usable bytes");
    free(block);
    free(other);
    return KEPT;
}

static size_t pages_present(const void *start, size_t size)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t count = 0;

    for (uintptr_t at = (uintptr_t)start / page; at < ((uintptr_t)start + size) / page; at++) {
        uint64_t entry = 0;

        if (pread(fd, &entry, sizeof entry, (off_t)(at * sizeof entry)) != sizeof entry)
            return SIZE_MAX;
        count += entry >> 63;
    }
    close(fd);
    return count;
}

static int fresh_zeros_are_not_touched(void)
{
    unsigned char *block = calloc(HUGE_BLOCK / 8, 8);
    size_t present = over_glibc ? pages_present(block, HUGE_BLOCK) : 0;

    /* The allocator's own header, on a huge page perhaps. */
    CHECK(present <= 512, "%zu pages of a fresh calloc are there", present);
    for (size_t i = 0; i < HUGE_BLOCK; i += 1009)
        CHECK(block[i] == 0, "byte %zu is %d", i, block[i]);
    free(block);
    return KEPT;
}

/* What is recycled was full of other bytes, or showed a store. */
static int recycled_zeros_are_zero(void)
{
    for (int round = 0; round < 8; round++) {
        size_t size = THRESHOLD + 4096 * (size_t)round;
        unsigned char *original = malloc(size);
        unsigned char *copy = copy_of(original, size, 4);
        unsigned char *zeros;

        free(original);
        free(copy);
        zeros = calloc(1, size);
        for (size_t i = 0; i < size; i++)
            CHECK(zeros[i] == 0, "byte %zu of %zu is %d", i, size, zeros[i]);
        free(zeros);
    }
    return KEPT;
}

/* Every size to every size; shown: the block shows a store before, and its twin keeps its bytes. */
static int resize_all(bool shown)
{
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t j = 0; j < COUNT_OF(sizes); j++) {
            size_t from = sizes[i], to = sizes[j], common = from < to ? from : to;
            unsigned char *twin = NULL;
            unsigned char *block = malloc(from);

            if (to == 0) /* that is free */
                continue;
            if (shown)
                twin = copy_of(block, from, 5);
            else
                paint(block, from, 5);
            block = realloc(block, to);
            CHECK(block != NULL, "realloc from %zu to %zu is NULL", from, to);
            CHECK(first_wrong(block, common, 0, 5) == SIZE_MAX, "from %zu to %zu: byte %zu is wrong", from, to,
                  first_wrong(block, common, 0, 5));
            paint(block, to, 6);
            CHECK(twin == NULL || first_wrong(twin, from, 0, 5) == SIZE_MAX, "from %zu to %zu: the copy changed", from, to);
            free(block);
            free(twin);
        }
    }
    return KEPT;
}

static int realloc_keeps_bytes(void)
{
    return resize_all(false);
}

static int realloc_keeps_bytes_of_views(void)
{
    return resize_all(true);
}

static int realloc_grows_in_steps(void)
{
    size_t size = 1000;
    unsigned char *block = malloc(size);
    unsigned char *copies[12];
    size_t copied[12];
    int count = 0;

    paint(block, size, 7);
    while (size < HUGE_BLOCK / 4) {
        size_t before = size;

        size = size * 2 + 77;
        block = realloc(block, size);
        CHECK(first_wrong(block, before, 0, 7) == SIZE_MAX, "grown to %zu: a byte is wrong", size);
        for (size_t i = before; i < size; i++)
            block[i] = pattern(i, 7);
        if (size >= THRESHOLD && count < 12) {
            copies[count] = malloc(size);
            copied[count] = size;
            memcpy(copies[count++], block, size);
        }
    }
    while (size > 1000) {
        size /= 3;
        block = realloc(block, size);
        CHECK(first_wrong(block, size, 0, 7) == SIZE_MAX, "cut to %zu: a byte is wrong", size);
    }
    free(block);
    while (count-- > 0) {
        CHECK(first_wrong(copies[count], copied[count], 0, 7) == SIZE_MAX, "the copy of %zu bytes changed", copied[count]);
        free(copies[count]);
    }
    return KEPT;
}

static int blocks_that_are_aligned_are_shared(void)
{
    unsigned char *from = memalign((size_t)1 << 16, BIG);
    unsigned char *to = aligned_alloc((size_t)1 << 12, BIG);

    paint(from, BIG, 10);
    memcpy(to, from, BIG);
    CHECK(first_wrong(to, BIG, 0, 10) == SIZE_MAX, "the copy differs");
    CHECK(shows_store(to, BIG) || !sharing, "the copy is not shared");
    free(from);
    free(to);
    return KEPT;
}

static int free_keeps_errno(void)
{
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *block = malloc(sizes[i]);
        unsigned char *copy = copy_of(block, sizes[i], 12);

        errno = 4321;
        free(block);
        CHECK(errno == 4321, "free of %zu bytes changed errno to %d", sizes[i], errno);
        free(copy);
        CHECK(errno == 4321, "free of a copy of %zu bytes changed errno to %d", sizes[i], errno);
        block = malloc(sizes[i]);
        CHECK(errno == 4321, "malloc of %zu bytes changed errno to %d", sizes[i], errno);
        copy = copy_of(block, sizes[i], 13);
        CHECK(errno == 4321, "a copy of %zu bytes changed errno to %d", sizes[i], errno);
        free(block);
        free(copy);
    }
    return KEPT;
}

/* The page in front of a copy is gone where glibc has only a number there (engine/block/header.h); whoever asks glibc finds the number. */
static int pages_in_front_come_back(void)
{
    enum { COPIES = 24 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *original, *copies[COPIES];
    size_t kept = 0;

    mallopt(M_MMAP_THRESHOLD, 128 << 10); /* which had risen with what was freed */
    original = malloc(BIG);
    for (int i = 0; i < COPIES; i++) {
        copies[i] = copy_of(original, BIG, 14);
        kept += sharing ? pages_present(copies[i] - page, page) : 0;
    }
    /* Some of the blocks come from what was freed in glibc's heap. */
    CHECK(kept <= COPIES / 2 || !over_glibc, "%zu of %d pages in front of copies are there", kept, COPIES);
    for (int i = 0; i < COPIES; i++) {
        size_t usable = i % 3 == 1 ? malloc_usable_size(copies[i]) : BIG;

        CHECK(usable >= BIG && usable < 2 * BIG, "%zu bytes are usable", usable);
        if (i % 4 == 2)
            copies[i] = realloc(copies[i], BIG + (size_t)i * THRESHOLD);
        if (i % 5 == 3)
            copies[i] = realloc(copies[i], THRESHOLD + 1);
        CHECK(first_wrong(copies[i], THRESHOLD, 0, 14) == SIZE_MAX, "copy %d is wrong", i);
        memcpy(copies[i], original, THRESHOLD);
    }
    for (int i = 0; i < COPIES; i++)
        free(copies[i * 7 % COPIES]);
    free(original);
    return KEPT;
}

/* Allocators write into what they get back, and hand it out again; a store below would be written for ever after. */
static int nothing_is_left_behind(void)
{
    enum { BLOCKS = 40 };
    unsigned char *blocks[BLOCKS];

    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = i % 4 == 0 ? malloc(BIG) : copy_of(blocks[i - 1], BIG, (unsigned)i);
    CHECK(shows_store(blocks[1], BIG) || !sharing, "copies are not shared");
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i * 7 % BLOCKS]);
    for (int i = 0; i < BLOCKS; i++)
        CHECK(!shows_store(blocks[i], BIG), "freed block %d still shows a store", i);
    return KEPT;
}

/* alloc [other|ahead] */
int main(int count, char **words)
{
    static const struct story stories[] = {
        {"memory is aligned, writable and as large as malloc_usable_size says", memory_is_all_there},
        {"what malloc_usable_size adds is copied and survives realloc", usable_bytes_survive},
        {"fresh calloc memory is not touched", fresh_zeros_are_not_touched},
        {"calloc of recycled memory is zero", recycled_zeros_are_zero},
        {"realloc keeps the bytes, from every size to every size", realloc_keeps_bytes},
        {"realloc of blocks with views too, and their copies keep theirs", realloc_keeps_bytes_of_views},
        {"a vector that doubles, is copied at each size, and shrinks", realloc_grows_in_steps},
        {"aligned blocks share as others do", blocks_that_are_aligned_are_shared},
        {"free, malloc and copies keep errno", free_keeps_errno},
        {"the page in front of a copy is gone, and there when the allocator needs it", pages_in_front_come_back},
        {"freed blocks show no store", nothing_is_left_behind},
    };

    learn_allocator(count, words);
    return tell_all(stories, COUNT_OF(stories));
}
