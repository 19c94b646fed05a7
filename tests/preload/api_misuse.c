/* SPDX-License-Identifier: MIT */
/* The control interface, misused: every call that cannot be right gets the errno that cowshim.h promises, and changes nothing. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cowshim.h"
#include "story.h"

#ifndef MAP_HUGETLB
#define MAP_HUGETLB 0x40000
#endif

#define PAGE ((size_t)4096)
#define SIZE (64 * PAGE)

static char fixed[SIZE] __attribute__((aligned(4096)));
static const char constant[2 * 4096] __attribute__((aligned(4096))) = {1};

static char *map(int protection, int flags)
{
    char *memory = mmap(NULL, SIZE, protection, MAP_ANONYMOUS | flags, -1, 0);

    if (memory != MAP_FAILED && (protection & PROT_WRITE) != 0)
        paint((unsigned char *)memory, SIZE, 3);
    return memory;
}

static uint64_t registered(void)
{
    struct cowshim_figures figures;

    return cowshim_stats(&figures, sizeof figures) == 0 ? figures.registered : UINT64_MAX;
}

/* One refused registration: the errno, no registration more, the same contents. */
static bool refuses(const char *what, void *start, size_t size, unsigned flags, int expected, bool readable)
{
    uint64_t before = registered();
    int result;

    errno = 0;
    result = cowshim_register(start, size, flags);
    if (result != -1 || errno != expected || registered() != before) {
        printf("# %s: %d, %s instead of %s\n", what, result, strerror(errno), strerror(expected));
        return false;
    }
    if (readable && first_wrong(start, size, 0, 3) != SIZE_MAX) {
        printf("# %s: contents changed\n", what);
        return false;
    }
    return true;
}

static int tell_register_arguments(void)
{
    bool good = refuses("null", NULL, SIZE, 0, EINVAL, false);

    good &= refuses("zero", fixed, 0, 0, EINVAL, false);
    good &= refuses("flags", fixed, SIZE, 1, EINVAL, false);
    good &= refuses("wrap", fixed, SIZE_MAX, 0, EINVAL, false);
    good &= refuses("no whole page", fixed + 1, PAGE, 0, EINVAL, false);
    good &= refuses("huge", fixed, (size_t)1 << 45, 0, EFAULT, false);
    return good ? KEPT : BROKEN;
}

static int tell_register_memory(void)
{
    char *shared = map(PROT_READ | PROT_WRITE, MAP_SHARED);
    char *read_only = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *none = map(PROT_NONE, MAP_PRIVATE);
    char *locked = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *marked = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *gone = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *gap = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    bool good;

    mprotect(read_only + PAGE, PAGE, PROT_READ);
    CHECK(mlock(locked + PAGE, PAGE) == 0, "mlock: %s", strerror(errno));
    madvise(marked + PAGE, PAGE, MADV_DONTFORK);
    munmap(gone, SIZE);
    munmap(gap + 8 * PAGE, PAGE);
    good = refuses("MAP_SHARED", shared, SIZE, 0, EOPNOTSUPP, true);
    good &= refuses("read-only", read_only, SIZE, 0, EACCES, true);
    good &= refuses("PROT_NONE", none, SIZE, 0, EACCES, false);
    good &= refuses("const", (void *)(uintptr_t)constant, sizeof constant, 0, EACCES, false);
    good &= refuses("locked", locked, SIZE, 0, EBUSY, true);
    good &= refuses("MADV_DONTFORK", marked, SIZE, 0, EOPNOTSUPP, true);
    good &= refuses("unmapped", gone, SIZE, 0, EFAULT, false);
    good &= refuses("a gap", gap, SIZE, 0, EFAULT, false);
    munmap(gap, SIZE);
    munmap(marked, SIZE);
    munmap(locked, SIZE);
    munmap(none, SIZE);
    munmap(read_only, SIZE);
    munmap(shared, SIZE);
    return good ? KEPT : BROKEN;
}

static int tell_register_hugetlb(void)
{
    size_t size = (size_t)4 << 20;
    /* Reserving takes huge pages of the machine's; without any the mapping still stands until it is touched. */
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
    bool good;

    if (memory == MAP_FAILED) {
        printf("# no MAP_HUGETLB mapping: %s\n", strerror(errno));
        return SKIPPED;
    }
    good = refuses("hugetlb", memory, size, 0, EOPNOTSUPP, false);
    munmap(memory, size);
    return good ? KEPT : BROKEN;
}

static void *on_thread(void *memory)
{
    return refuses("a thread's own stack", memory, 16 * SIZE, 0, EBUSY, false) ? memory : NULL;
}

static int tell_register_stack(void)
{
    volatile char here[4 * PAGE];
    char *main_stack = (char *)((uintptr_t)here & ~(PAGE - 1)) + PAGE;
    char *memory = mmap(NULL, 16 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_t thread;
    void *kept;

    here[0] = 1;
    /* Not where we stand, but the same stack; the array is above this frame's callees. */
    CHECK(refuses("the main stack", main_stack, 2 * PAGE, 0, EBUSY, false), "registered a piece of the main stack");
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, memory, 16 * SIZE);
    CHECK(pthread_create(&thread, &attributes, on_thread, memory) == 0, "no thread");
    pthread_join(thread, &kept);
    munmap(memory, 16 * SIZE);
    return kept != NULL ? KEPT : BROKEN;
}

static int tell_overlap(void)
{
    char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    bool good;

    CHECK(cowshim_register(memory + 8 * PAGE, SIZE - 16 * PAGE, 0) == 0, "%s", strerror(errno));
    good = refuses("twice", memory + 8 * PAGE, SIZE - 16 * PAGE, 0, EEXIST, false);
    good &= refuses("around", memory, SIZE, 0, EEXIST, true);
    good &= refuses("inside", memory + 9 * PAGE, PAGE, 0, EEXIST, false);
    good &= refuses("left", memory, 9 * PAGE, 0, EEXIST, true);
    good &= refuses("right", memory + SIZE - 9 * PAGE, 9 * PAGE, 0, EEXIST, false);
    CHECK(cowshim_register(memory, 8 * PAGE, 0) == 0, "beside it: %s", strerror(errno));
    CHECK(cowshim_unregister(memory, SIZE) == 0, "%s", strerror(errno));
    munmap(memory, SIZE);
    return good ? KEPT : BROKEN;
}

static int tell_unregister(void)
{
    char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);

#define FAILS(call, expected) \
    do { \
        errno = 0; \
        CHECK((call) == -1 && errno == (expected), "%s: %s instead of %s", #call, strerror(errno), strerror(expected)); \
    } while (0)
    FAILS(cowshim_unregister(NULL, SIZE), EINVAL);
    FAILS(cowshim_unregister(memory, 0), EINVAL);
    FAILS(cowshim_unregister(memory, SIZE_MAX), EINVAL);
    FAILS(cowshim_unregister(memory, SIZE), ENOENT);
    CHECK(cowshim_register(memory, SIZE, 0) == 0, "%s", strerror(errno));
    FAILS(cowshim_unregister(memory, SIZE - PAGE), EINVAL);
    FAILS(cowshim_unregister(memory + PAGE, SIZE - PAGE), EINVAL);
    CHECK(cowshim_unregister(memory, SIZE) == 0, "%s", strerror(errno));
    FAILS(cowshim_unregister(memory, SIZE), ENOENT);
    CHECK(cowshim_register(memory, SIZE, 0) == 0, "%s", strerror(errno));
    munmap(memory, SIZE);
    FAILS(cowshim_unregister(memory, SIZE), ENOENT);
    return KEPT;
}

static int tell_copy(void)
{
    char *other = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *wild = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *memory = mmap(NULL, 4 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* room beyond its end */

    paint((unsigned char *)memory, SIZE, 3);
    CHECK(cowshim_register(memory, SIZE, 0) == 0 && cowshim_register(other, SIZE, 0) == 0, "%s", strerror(errno));
    FAILS(cowshim_copy(NULL, memory, SIZE, COWSHIM_REQUIRE), EINVAL);
    FAILS(cowshim_copy(other, NULL, SIZE, COWSHIM_REQUIRE), EINVAL);
    FAILS(cowshim_copy(other, memory, 0, COWSHIM_ALLOW_PLAIN), EINVAL);
    FAILS(cowshim_copy(other, memory, SIZE_MAX, COWSHIM_REQUIRE), EINVAL);
    FAILS(cowshim_copy(other, memory, SIZE, 0), EINVAL);
    FAILS(cowshim_copy(other, memory, SIZE, COWSHIM_REQUIRE | COWSHIM_ALLOW_PLAIN), EINVAL);
    FAILS(cowshim_copy(memory + PAGE, memory, SIZE - PAGE, COWSHIM_REQUIRE), EINVAL);
    FAILS(cowshim_copy(other + 1, memory, SIZE - 1, COWSHIM_REQUIRE), EDOM);
    FAILS(cowshim_copy(other, memory, 2 * PAGE - 1, COWSHIM_REQUIRE), ERANGE);
    FAILS(cowshim_copy(wild, memory, SIZE, COWSHIM_REQUIRE), ENOENT);
    FAILS(cowshim_copy(memory, wild, SIZE, COWSHIM_REQUIRE), ENOENT);
    FAILS(cowshim_copy(wild, memory + PAGE, SIZE, COWSHIM_REQUIRE), ENOENT);
    cowshim_exclude(other, 1);
    FAILS(cowshim_copy(other, memory, SIZE, COWSHIM_REQUIRE), EACCES);
    cowshim_include(other, 1);
    mprotect(other, PAGE, PROT_READ);
    FAILS(cowshim_copy(other, memory, SIZE, COWSHIM_REQUIRE), ESTALE);
    mprotect(other, PAGE, PROT_READ | PROT_WRITE);
    CHECK(first_wrong((unsigned char *)other, SIZE, 0, 3) == SIZE_MAX, "a refused copy changed its target");
    CHECK(first_wrong((unsigned char *)memory, SIZE, 0, 3) == SIZE_MAX, "a refused copy changed its source");
    CHECK(cowshim_copy(other, memory, SIZE, COWSHIM_REQUIRE) == (ssize_t)SIZE, "%s", strerror(errno));
    munmap(wild, SIZE);
    munmap(other, SIZE);
    munmap(memory, 4 * SIZE);
    return KEPT;
}

static int nothing(void *context, size_t offset, size_t length)
{
    (void)context;
    return offset + length == 0;
}

static int stop(void *context, size_t offset, size_t length)
{
    (void)context;
    return offset + length > 0;
}

static int tell_others(void)
{
    char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    struct cowshim_pages pages;
    struct cowshim_figures figures;

    errno = 0;
    CHECK(cowshim_dup(NULL, SIZE) == NULL && errno == EINVAL, "dup of null: %s", strerror(errno));
    errno = 0;
    CHECK(cowshim_dup(memory, 0) == NULL && errno == EINVAL, "dup of nothing: %s", strerror(errno));
    FAILS(cowshim_seal(NULL, SIZE), EINVAL);
    FAILS(cowshim_seal(memory, 0), EINVAL);
    FAILS(cowshim_seal(memory, PAGE), ERANGE);
    FAILS(cowshim_seal(memory, SIZE), ENOENT);
    FAILS(cowshim_exclude(NULL, 1), EINVAL);
    FAILS(cowshim_include(memory, 0), EINVAL);
    FAILS(cowshim_expect_rewrite(memory, SIZE_MAX), EINVAL);
    CHECK(cowshim_exclude(memory, SIZE) == 0 && cowshim_include(memory, SIZE) == 0 && cowshim_expect_rewrite(memory, SIZE) == 0,
          "hints for memory that is no block: %s", strerror(errno));
    FAILS(cowshim_residency(NULL, SIZE, &pages), EINVAL);
    FAILS(cowshim_residency(memory, SIZE, NULL), EINVAL);
    FAILS(cowshim_residency(memory, 0, &pages), EINVAL);
    FAILS(cowshim_diff(NULL, memory, SIZE, 0, nothing, NULL), EINVAL);
    FAILS(cowshim_diff(memory, NULL, SIZE, 0, nothing, NULL), EINVAL);
    FAILS(cowshim_diff(memory, memory, 0, 0, nothing, NULL), EINVAL);
    FAILS(cowshim_diff(memory, memory, SIZE, 2, nothing, NULL), EINVAL);
    FAILS(cowshim_diff(memory, memory + 8, PAGE, 0, stop, NULL), ECANCELED);
    FAILS(cowshim_stats(NULL, sizeof figures), EINVAL);
    FAILS(cowshim_stats(&figures, 0), EINVAL);
    munmap(memory, SIZE);
    FAILS(cowshim_residency(memory, SIZE, &pages), EFAULT);
    return KEPT;
}

/* In a vfork child nothing can be looked up; a copy there is a plain one. */
static int tell_vfork(void)
{
    char *memory = map(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    volatile int refused = 0;
    pid_t child = vfork();

    if (child == 0) {
        refused = cowshim_register(memory, SIZE, 0) == -1 && errno == EAGAIN;
        _exit(0);
    }
    CHECK(refused, "registered in a vfork child, or with another errno");
    CHECK(registered() == 0, "something is registered");
    munmap(memory, SIZE);
    return KEPT;
}

static const struct story stories[] = {
    {"register refuses null, empty, wrapping, huge ranges and unknown flags", tell_register_arguments},
    {"register refuses memory that is shared, protected, locked, marked or not there", tell_register_memory},
    {"register refuses memory of hugetlbfs", tell_register_hugetlb},
    {"register refuses the stacks of the main thread and of the caller", tell_register_stack},
    {"register refuses what overlaps a registration", tell_overlap},
    {"unregister knows only whole registrations that are still there", tell_unregister},
    {"copy says why it cannot share, and has then changed nothing", tell_copy},
    {"the other calls refuse null, empty and wrapping ranges", tell_others},
    {"a vfork child registers nothing", tell_vfork},
};

int main(void)
{
    return tell_all(stories, COUNT_OF(stories));
}
