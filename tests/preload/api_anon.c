/* SPDX-License-Identifier: MIT */
/* COWSHIM_SCOPE=anon: what the program maps itself is shared, too, and every memory call keeps its meaning. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "story.h"

#define PAGE ((size_t)4096)
#define SIZE (512 * PAGE)

static unsigned char *map(int protection, int flags)
{
    return mmap(NULL, SIZE, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static int tell_shared(void)
{
    unsigned char *a = map(PROT_READ | PROT_WRITE, 0);
    unsigned char *b = map(PROT_NONE, MAP_NORESERVE); /* reserved, then made usable: what allocators do */

    mprotect(b, SIZE, PROT_READ | PROT_WRITE);
    paint(a, SIZE, 5);
    memcpy(b, a, SIZE);
    CHECK(shows_store(a, SIZE) && shows_store(b, SIZE), "the copy is not shared");
    b[3] ^= 1;
    CHECK(holds(a, SIZE, 0, 5), "a write is seen by the other");
    b[3] ^= 1;
    munmap(a, SIZE);
    CHECK(holds(b, SIZE, 0, 5), "the copy lost its contents with the original");
    munmap(b, SIZE);
    return KEPT;
}

static int tell_left_alone(void)
{
    unsigned char *a = map(PROT_READ | PROT_WRITE, 0);
    unsigned char *stack = map(PROT_READ | PROT_WRITE, MAP_STACK);
    unsigned char *both = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    paint(a, SIZE, 5);
    memcpy(stack, a, SIZE);
    memcpy(both, a, SIZE);
    CHECK(!shows_store(stack, SIZE) && !shows_store(a, SIZE), "a stack was replaced, or sealed for");
    CHECK(holds(stack, SIZE, 0, 5) && holds(both, SIZE, 0, 5), "wrong bytes");
    if (fork() == 0) {
        both[0] ^= 1;
        _exit(0);
    }
    while (both[0] == pattern(0, 5))
        usleep(100); /* for ever, if it is no more shared with the child */
    munmap(a, SIZE);
    munmap(stack, SIZE);
    munmap(both, SIZE);
    return KEPT;
}

static int tell_emptied(void)
{
    unsigned char *a = map(PROT_READ | PROT_WRITE, 0);
    unsigned char *b = map(PROT_READ | PROT_WRITE, 0);

    paint(a, SIZE, 5);
    memcpy(b, a, SIZE);
    madvise(b, 64 * PAGE, MADV_DONTNEED);
    CHECK(zero(b, 64 * PAGE) && holds(b + 64 * PAGE, SIZE - 64 * PAGE, 64 * PAGE, 5), "MADV_DONTNEED");
    mprotect(b + 64 * PAGE, 64 * PAGE, PROT_NONE);
    madvise(b + 64 * PAGE, 64 * PAGE, MADV_DONTNEED);
    mprotect(b + 64 * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE);
    CHECK(zero(b, 128 * PAGE), "MADV_DONTNEED of what was not accessible");
    CHECK(mmap(b + 128 * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED, "%s",
          strerror(errno));
    CHECK(zero(b, 192 * PAGE) && holds(b + 192 * PAGE, SIZE - 192 * PAGE, 192 * PAGE, 5), "mapped anew");
    CHECK(holds(a, SIZE, 0, 5), "the original changed");
    munmap(a, SIZE);
    munmap(b, SIZE);
    return KEPT;
}

static int tell_moved(void)
{
    unsigned char *a = map(PROT_READ | PROT_WRITE, 0);
    unsigned char *b = map(PROT_READ | PROT_WRITE, 0);
    unsigned char *grown;

    paint(a, SIZE, 5);
    grown = mremap(a, SIZE, 2 * SIZE, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED && holds(grown, SIZE, 0, 5) && zero(grown + SIZE, SIZE), "mremap");
    memcpy(b, grown, SIZE);
    CHECK(shows_store(b, SIZE), "a mapping that was moved is not shared");
    grown = mremap(grown, 2 * SIZE, 3 * SIZE, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED, "mremap of what shows a store: %s", strerror(errno));
    CHECK(holds(grown, SIZE, 0, 5) && zero(grown + SIZE, 2 * SIZE), "mremap of a view");
    madvise(grown, SIZE, MADV_DONTNEED);
    CHECK(zero(grown, SIZE), "MADV_DONTNEED at the new place");
    memset(grown, 1, SIZE);
    CHECK(holds(b, SIZE, 0, 5), "the copy changed");
    munmap(grown, 3 * SIZE);
    munmap(b, SIZE);
    return KEPT;
}

/* Blocks that the program's allocator carves out of mappings of its own, again and again, beside copies of the mappings. */
static int tell_carved(void)
{
    unsigned char *source = malloc(SIZE);

    paint(source, SIZE, 5);
    for (unsigned round = 0; round < 100; round++) {
        unsigned char *block = round % 2 == 0 ? malloc(SIZE) : calloc(1, SIZE);
        unsigned char *small = malloc(PAGE * 20);

        CHECK(round % 2 == 0 || zero(block, SIZE), "calloc is not zero");
        memcpy(block, source, SIZE);
        paint(small, PAGE * 20, round);
        CHECK(shows_store(block, SIZE), "a copy between blocks is not shared in round %u", round);
        block[round] ^= 1;
        CHECK(holds(source, SIZE, 0, 5) && holds(small, PAGE * 20, 0, round), "wrong bytes in round %u", round);
        free(block);
        free(small);
    }
    free(source);
    return KEPT;
}

static const struct story stories[] = {
    {"a copy between mappings of the program is shared", tell_shared},
    {"stacks and shared mappings are left alone", tell_left_alone},
    {"MADV_DONTNEED and MAP_FIXED give zeros, also where pages are not accessible", tell_emptied},
    {"mremap keeps contents, and what it moved is shared on", tell_moved},
    {"blocks of the allocator inside of mappings are blocks as ever", tell_carved},
};

int main(void)
{
    return tell_all(stories, COUNT_OF(stories));
}
