/* SPDX-License-Identifier: MIT */
/* What malloc and its kin promise, on both sides of COWSHIM_MIN_SIZE and for blocks that show a store, over any allocator. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "story.h"

#define THRESHOLD ((size_t)1 << 20)
#define SMALL (THRESHOLD / 2)
#define BIG (THRESHOLD * 2 + 123)
#define HUGE_BLOCK ((size_t)33 << 20) /* starts on 2 MiB */

/* Over another allocator errno and untouched zeros are its own affair; under one (AHEAD in the table) its blocks are not ours. */
static bool over_glibc, sharing;

/* Sizes that the compiler must not look at: it would say that they do not work. */
static volatile size_t too_much = PTRDIFF_MAX;
static volatile size_t everything = SIZE_MAX;

static const size_t sizes[] = {0, 1, 4096, SMALL, THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, BIG, HUGE_BLOCK + 1};

/* A painted block and its copy, which show one store. */
static unsigned char *copy_of(unsigned char *original, size_t size, unsigned salt)
{
    unsigned char *copy = malloc(size);

    paint(original, size, salt);
    memcpy(copy, original, size);
    return copy;
}

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

static int overflow_is_noticed(void)
{
    unsigned char *block = malloc(BIG);
    unsigned char *copy = copy_of(block, BIG, 8);

    errno = 0;
    CHECK(reallocarray(block, everything / 2, 3) == NULL && (errno == ENOMEM || !over_glibc), "reallocarray: errno %d", errno);
    errno = 0;
    CHECK(calloc(everything / 2, 3) == NULL && (errno == ENOMEM || !over_glibc), "calloc: errno %d", errno);
    CHECK(first_wrong(block, BIG, 0, 8) == SIZE_MAX, "the block was changed");
    block = reallocarray(block, BIG, 2);
    CHECK(block != NULL && first_wrong(block, BIG, 0, 8) == SIZE_MAX, "reallocarray lost bytes");
    free(block);
    free(copy);
    return KEPT;
}

static int too_much_is_refused(void)
{
    unsigned char *block = malloc(BIG);
    unsigned char *copy = copy_of(block, BIG, 9);
    const size_t wanted[] = {too_much, too_much + 1, everything, everything - 4096, everything - ((size_t)2 << 20)};

    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        void *unused = NULL;

#define REFUSES(call) \
    do { \
        errno = 0; \
        CHECK((call) == NULL && (errno == ENOMEM || !over_glibc), #call " of %zx: errno %d", wanted[i], errno); \
    } while (0)
        REFUSES(malloc(wanted[i]));
        REFUSES(calloc(1, wanted[i]));
        REFUSES(calloc(wanted[i], 1));
        REFUSES(realloc(NULL, wanted[i]));
        REFUSES(realloc(block, wanted[i]));
        REFUSES(realloc(copy, wanted[i]));
        REFUSES(aligned_alloc(64, wanted[i]));
        REFUSES(memalign((size_t)1 << 21, wanted[i]));
        REFUSES(valloc(wanted[i]));
        REFUSES(pvalloc(wanted[i]));
#undef REFUSES
        CHECK(posix_memalign(&unused, 64, wanted[i]) == ENOMEM, "posix_memalign of %zx", wanted[i]);
    }
    CHECK(first_wrong(block, BIG, 0, 9) == SIZE_MAX, "a block that could not grow was changed");
    CHECK(first_wrong(copy, BIG, 0, 9) == SIZE_MAX, "a copy that could not grow was changed");
    free(block);
    free(copy);
    return KEPT;
}

static int check_aligned(const char *name, void *block, size_t alignment, size_t size)
{
    CHECK(block != NULL, "%s(%zu, %zu) is NULL", name, alignment, size);
    CHECK((uintptr_t)block % alignment == 0 || (size == 0 && !over_glibc), "%s(%zu, %zu) is %p", name, alignment, size, block);
    CHECK(malloc_usable_size(block) >= size, "%s(%zu, %zu): %zu bytes usable", name, alignment, size, malloc_usable_size(block));
    if (size > 0) {
        ((unsigned char *)block)[0] = 1;
        ((unsigned char *)block)[size - 1] = 1;
    }
    free(block);
    return KEPT;
}

static int alignments_are_given(void)
{
    int broken = KEPT;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t alignment = sizeof(void *); alignment <= (size_t)64 << 20; alignment *= 4) {
            void *block = NULL;

            errno = 4321;
            CHECK(posix_memalign(&block, alignment, sizes[i]) == 0, "posix_memalign(%zu, %zu)", alignment, sizes[i]);
            CHECK(errno == 4321, "posix_memalign changed errno to %d", errno);
            broken |= check_aligned("posix_memalign", block, alignment, sizes[i]);
            broken |= check_aligned("aligned_alloc", aligned_alloc(alignment, sizes[i] & -alignment), alignment, sizes[i] & -alignment);
            broken |= check_aligned("memalign", memalign(alignment, sizes[i]), alignment, sizes[i]);
        }
        broken |= check_aligned("valloc", valloc(sizes[i]), 4096, sizes[i]);
        broken |= check_aligned("pvalloc", pvalloc(sizes[i]), 4096, (sizes[i] + 4095) & ~(size_t)4095);
    }
    return broken;
}

static int wrong_alignments_are_refused(void)
{
    static const size_t wrong[] = {0, 1, 2, 4, 3, 24, 4095, 4097};

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        void *kept = &kept;

        errno = 4321;
        CHECK(posix_memalign(&kept, wrong[i], BIG) == EINVAL, "posix_memalign took an alignment of %zu", wrong[i]);
        CHECK(errno == 4321, "posix_memalign changed errno to %d", errno);
        CHECK(kept == &kept, "posix_memalign changed the pointer");
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

static int nothing_is_something(void)
{
    void *a = malloc(0), *b = malloc(0), *c = realloc(NULL, 0);

    free(NULL);
    CHECK(a != NULL && b != NULL && a != b, "malloc(0): %p %p", a, b);
    free(a);
    free(b);
    free(c);
    CHECK(malloc_usable_size(NULL) == 0, "malloc_usable_size(NULL) is not 0");
    a = realloc(NULL, BIG);
    paint(a, BIG, 11);
    CHECK(first_wrong(a, BIG, 0, 11) == SIZE_MAX, "realloc(NULL) gives memory that does not hold");
    free(a);
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
        {"reallocarray and calloc notice overflow and leave the block alone", overflow_is_noticed},
        {"PTRDIFF_MAX and more is ENOMEM, and blocks stay as they are", too_much_is_refused},
        {"every alignment up to 64 MiB is given", alignments_are_given},
        {"alignments that are none are EINVAL, without a trace", wrong_alignments_are_refused},
        {"aligned blocks share as others do", blocks_that_are_aligned_are_shared},
        {"malloc(0), free(NULL), realloc(NULL)", nothing_is_something},
        {"free, malloc and copies keep errno", free_keeps_errno},
        {"the page in front of a copy is gone, and there when the allocator needs it", pages_in_front_come_back},
        {"freed blocks show no store", nothing_is_left_behind},
    };

    over_glibc = count < 2;
    sharing = over_glibc || strcmp(words[1], "other") == 0;
    return tell_all(stories, COUNT_OF(stories));
}
