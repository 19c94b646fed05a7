/* SPDX-License-Identifier: MIT */
/* The other names that take a pointer of malloc, over any allocator: none may be handed a place inside of what the allocator gave. Where no
   allocator has the name, the library has it, and it works all the same. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "story.h"

#define PAGE ((size_t)4096)
#define SMALL ((size_t)1000)
#define BIG (((size_t)2 << 20) + 123)
#define HUGE_BLOCK ((size_t)33 << 20)
#define ALIGNED(logarithm) (logarithm)
#define ZEROED 0x40

static void (*free_sized_of)(void *, size_t), (*free_aligned_sized_of)(void *, size_t, size_t), (*cfree_of)(void *);
static void (*dallocx_of)(void *, int), (*sdallocx_of)(void *, size_t, int);
static void *(*rallocx_of)(void *, size_t, int), *(*mallocx_of)(size_t, int);
static size_t (*xallocx_of)(void *, size_t, size_t, int), (*sallocx_of)(const void *, int);

static void find(void *function, const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);

    memcpy(function, &found, sizeof found);
}

static void find_all(void)
{
    find(&free_sized_of, "free_sized");
    find(&free_aligned_sized_of, "free_aligned_sized");
    find(&cfree_of, "cfree");
    find(&dallocx_of, "dallocx");
    find(&sdallocx_of, "sdallocx");
    find(&rallocx_of, "rallocx");
    find(&xallocx_of, "xallocx");
    find(&sallocx_of, "sallocx");
    find(&mallocx_of, "mallocx");
}

static const size_t sizes[] = {1, SMALL, 3 * PAGE, BIG / 2, BIG, HUGE_BLOCK};

#define QUICK (COUNT_OF(sizes) - 1) /* without the huge one, where every size becomes every other */

static void free_by(size_t way, void *block, size_t size)
{
    switch (way) {
    case 0:
        free_sized_of(block, size);
        break;
    case 1:
        cfree_of(block);
        break;
    case 2:
        dallocx_of(block, 0);
        break;
    default:
        sdallocx_of(block, size, 0);
        break;
    }
}

#define WAYS 4

/* Blocks that show a store, have one behind them, or neither; and memory that is none of the library's business. */
static int all_names_free(void)
{
    for (size_t way = 0; way < WAYS; way++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            unsigned char *block = malloc(sizes[i]), *copy = malloc(sizes[i]), *plain = malloc(sizes[i]);

            paint(block, sizes[i], 1);
            memcpy(copy, block, sizes[i]);
            CHECK(sizes[i] < BIG || shows_store(copy, sizes[i]), "a copy of %zu bytes is not shared", sizes[i]);
            free_by(way, block, sizes[i]);
            CHECK(holds(copy, sizes[i], 0, 1), "way %zu: the copy of %zu bytes changed", way, sizes[i]);
            free_by(way, plain, sizes[i]);
            errno = 4321;
            free_by(way, copy, sizes[i]);
            CHECK(errno == 4321, "way %zu changed errno to %d", way, errno);
            CHECK(!shows_store(copy, sizes[i]), "way %zu: freed memory shows a store", way);
        }
    return KEPT;
}

static int aligned_memory_is_freed(void)
{
    for (size_t alignment = PAGE; alignment <= (size_t)4 << 20; alignment *= 4) {
        size_t size = (BIG + alignment - 1) & -alignment;
        unsigned char *block = aligned_alloc(alignment, size), *copy = aligned_alloc(alignment, size);

        paint(block, size, 2);
        memcpy(copy, block, size);
        free_aligned_sized_of(block, alignment, size);
        CHECK(holds(copy, size, 0, 2), "the copy changed");
        free_aligned_sized_of(copy, alignment, size);
        free_aligned_sized_of(aligned_alloc(alignment, alignment), alignment, alignment);
    }
    free_sized_of(NULL, 0);
    free_aligned_sized_of(NULL, PAGE, 0);
    return KEPT;
}

static int size_is_told(void)
{
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *block = malloc(sizes[i]);
        size_t told = sallocx_of(block, 0);

        CHECK(told >= sizes[i] && told == malloc_usable_size(block), "%zu of %zu bytes", told, sizes[i]);
        paint(block, told, 3);
        CHECK(holds(block, told, 0, 3), "%zu bytes do not hold", told);
        free(block);
    }
    return KEPT;
}

/* Returns what it became, or NULL when something is wrong. */
static unsigned char *resize(unsigned char *block, size_t from, size_t to, int flags)
{
    unsigned char *twin = malloc(from);
    size_t room = sallocx_of(block, 0);
    size_t common;
    bool right;

    paint(block, room, 4);
    memcpy(twin, block, from);
    common = room < to ? room : to;
    block = rallocx_of(block, to, flags);
    right = block != NULL && holds(block, common, 0, 4) && (uintptr_t)block % ((size_t)1 << (flags & 63)) == 0 &&
            ((flags & ZEROED) == 0 || zero(block + common, to - common));
    if (block != NULL)
        paint(block, to, 5);
    right = right && holds(twin, from, 0, 4);
    free(twin);
    return right ? block : NULL;
}

static int all_sizes_become_others(void)
{
    static const int flags[] = {0, ALIGNED(4), ALIGNED(12), ALIGNED(16), ALIGNED(22), ZEROED, ZEROED | ALIGNED(13)};

    for (size_t i = 0; i < QUICK; i++)
        for (size_t j = 0; j < QUICK; j++)
            for (size_t k = 0; k < COUNT_OF(flags); k++) {
                unsigned char *block = malloc(sizes[i]);

                memset(block, 0xee, sizes[i]);
                block = resize(block, sizes[i], sizes[j], flags[k]);
                CHECK(block != NULL, "from %zu to %zu, flags %#x", sizes[i], sizes[j], (unsigned)flags[k]);
                dallocx_of(block, 0);
            }
    return KEPT;
}

static int in_place_is_in_place(void)
{
    for (size_t i = 0; i < QUICK; i++)
        for (size_t j = 0; j < QUICK; j++) {
            unsigned char *block = malloc(sizes[i]), *copy = malloc(sizes[i]);
            size_t common = sizes[i] < sizes[j] ? sizes[i] : sizes[j];
            size_t now;

            paint(block, sizes[i], 6);
            memcpy(copy, block, sizes[i]);
            now = xallocx_of(copy, sizes[j], 0, 0);
            CHECK(now >= sizes[j] || sizes[j] > sizes[i], "%zu bytes could not shrink to %zu", sizes[i], sizes[j]);
            CHECK(now == sallocx_of(copy, 0), "xallocx says %zu, sallocx %zu", now, sallocx_of(copy, 0));
            CHECK(holds(copy, common, 0, 6), "bytes are lost");
            paint(copy, now, 7);
            CHECK(holds(copy, now, 0, 7), "%zu bytes do not hold", now);
            CHECK(holds(block, sizes[i], 0, 6), "the original changed");
            free(copy);
            free(block);
        }
    return KEPT;
}

/* Memory by jemalloc's own name is jemalloc's, wherever it lies. */
static int theirs_is_theirs(void)
{
    if (mallocx_of == NULL) {
        printf("# no mallocx here\n");
        return SKIPPED;
    }
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *block = mallocx_of(sizes[i], ALIGNED(12)), *copy = mallocx_of(sizes[i], ALIGNED(12));

        paint(block, sizes[i], 8);
        memcpy(copy, block, sizes[i]);
        copy = rallocx_of(copy, 2 * sizes[i], ALIGNED(12));
        CHECK(holds(copy, sizes[i], 0, 8), "bytes are lost");
        xallocx_of(copy, sizes[i], 0, 0);
        CHECK(sallocx_of(copy, 0) >= sizes[i], "%zu bytes of %zu", sallocx_of(copy, 0), sizes[i]);
        sdallocx_of(block, sizes[i], ALIGNED(12));
        dallocx_of(copy, 0);
    }
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"every name that frees takes what malloc gave, and a store stays behind nowhere", all_names_free},
        {"free_aligned_sized takes aligned memory", aligned_memory_is_freed},
        {"sallocx tells what may be used", size_is_told},
        {"rallocx keeps bytes, aligns and zeroes", all_sizes_become_others},
        {"xallocx never moves, and says how large it is", in_place_is_in_place},
        {"memory of mallocx is the allocator's own", theirs_is_theirs},
    };

    find_all();
    return tell_all(stories, COUNT_OF(stories));
}
