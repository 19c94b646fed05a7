/* SPDX-License-Identifier: MIT */
/* What malloc and its kin take and refuse: sizes, alignments, nothing, overflow; over any allocator. */
#include <errno.h>
#include <malloc.h>

#include "alloc.h"

/* Sizes that the compiler must not look at: it would say that they do not work. */
static volatile size_t too_much = PTRDIFF_MAX;
static volatile size_t everything = SIZE_MAX;

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

/* alloc_limits [other|ahead] */
int main(int count, char **words)
{
    static const struct story stories[] = {
        {"reallocarray and calloc notice overflow and leave the block alone", overflow_is_noticed},
        {"PTRDIFF_MAX and more is ENOMEM, and blocks stay as they are", too_much_is_refused},
        {"every alignment up to 64 MiB is given", alignments_are_given},
        {"alignments that are none are EINVAL, without a trace", wrong_alignments_are_refused},
        {"malloc(0), free(NULL), realloc(NULL)", nothing_is_something},
    };

    learn_allocator(count, words);
    return tell_all(stories, COUNT_OF(stories));
}
