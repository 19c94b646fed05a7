/* SPDX-License-Identifier: MIT */
/* What a program asks of its memory is there after copies too, or nothing of that memory is shared; what its memory calls return is what
   they would return; and other threads see no step in between. */
#include <errno.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "story.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define PAGE ((size_t)4096)
#define SIZE ((size_t)8 << 20)
#define COLLAPSE 25

/* A painted block and its copy. */
struct pair {
    unsigned char *original, *copy;
};

static struct pair pair_of(unsigned salt)
{
    struct pair pair = {aligned_alloc(PAGE, SIZE), aligned_alloc(PAGE, SIZE)};

    paint(pair.original, SIZE, salt);
    memcpy(pair.copy, pair.original, SIZE);
    return pair;
}

static void free_pair(struct pair pair)
{
    free(pair.original);
    free(pair.copy);
}

/* A thread that looks at one byte, and counts what was there before the last write. */
static _Atomic(unsigned char *) looked_at;
static _Atomic bool written, over;
static _Atomic long too_old;

static void *look(void *unused)
{
    while (!over) {
        unsigned char *at = looked_at;
        bool before = written;
        unsigned char value = *(volatile unsigned char *)at;

        if (before && written && at == looked_at && value != 2 && value != 0)
            too_old++;
    }
    return unused;
}

static int no_step_is_seen(void)
{
    struct pair pair = pair_of(1);
    pthread_t thread;

    looked_at = pair.copy;
    pthread_create(&thread, NULL, look, NULL);
    for (size_t page = 1; page < 400; page++) {
        unsigned char *at = pair.copy + page * PAGE + 5;

        looked_at = at;
        *(volatile unsigned char *)at = 2;
        written = true;
        madvise(at - 5, PAGE, MADV_DONTNEED);
        written = false;
        CHECK(*at == 0, "discarded memory is not zero");
    }
    over = true;
    pthread_join(thread, NULL);
    CHECK(too_old == 0, "what was there before the last write was seen %ld times", (long)too_old);
    free_pair(pair);
    return KEPT;
}

static int a_gap_changes_nothing(void)
{
    struct pair pair = pair_of(2);

    /* The gap lies in the middle of the copy, which does not go back to the allocator. */
    if (munmap(pair.copy + SIZE / 2, PAGE) != 0)
        return BROKEN;
    errno = 0;
    CHECK(madvise(pair.copy, SIZE, MADV_DONTNEED) == -1 && errno == ENOMEM, "error %d", errno);
    CHECK(zero(pair.copy, SIZE / 2) && zero(pair.copy + SIZE / 2 + PAGE, SIZE / 2 - PAGE), "discarded memory is not zero");
    CHECK(holds(pair.original, SIZE, 0, 2), "the original changed");
    return KEPT;
}

#define FAILS(call, failure, error) \
    do { \
        errno = 0; \
        CHECK((call) == (failure) && errno == (error), #call ": error %d", errno); \
    } while (0)

/* Calls that the kernel refuses: the pages stay, copies go on, and what is discarded is zero. */
static int refused_calls_change_nothing(void)
{
    struct pair pair = pair_of(3);
    unsigned char *copy = pair.copy;
    volatile size_t none = 0, too_much = SIZE_MAX - PAGE;
    const int flags = MAP_PRIVATE | MAP_FIXED;
    void *nowhere = (void *)(uintptr_t)16;

    FAILS(munmap(copy + 1, PAGE), -1, EINVAL);
    FAILS(munmap(copy, none), -1, EINVAL);
    FAILS(munmap(copy, too_much), -1, EINVAL);
    FAILS(mmap(copy + 1, PAGE, PROT_READ, flags | MAP_ANONYMOUS, -1, 0), MAP_FAILED, EINVAL);
    FAILS(mmap(copy, none, PROT_READ, flags | MAP_ANONYMOUS, -1, 0), MAP_FAILED, EINVAL);
    FAILS(mmap(copy, SIZE, PROT_READ, flags, -1, 0), MAP_FAILED, EBADF);
    FAILS(mmap(copy, SIZE, PROT_READ, MAP_FIXED | MAP_ANONYMOUS, -1, 0), MAP_FAILED, EINVAL);
    FAILS(syscall(SYS_munmap, copy + 1, PAGE), -1, EINVAL);
    FAILS(shmat(-1, copy, SHM_REMAP), MAP_FAILED, EINVAL);
    FAILS(process_madvise(-1, nowhere, 1, MADV_FREE, 0), -1, EFAULT);
    FAILS(syscall(SYS_clone3, NULL, 0), -1, EINVAL); /* programs ask so whether the kernel knows it */
    FAILS(syscall(SYS_clone3, nowhere, 88), -1, EFAULT);
    CHECK(holds(copy, SIZE, 0, 3), "the contents changed");
    CHECK(shows_store(copy, SIZE), "the copy is not shared any more");
    memcpy(pair.original, copy, SIZE / 2);
    CHECK(madvise(copy, SIZE, MADV_DONTNEED) == 0 && zero(copy, SIZE), "discarded memory is not zero");
    memcpy(copy, pair.original, SIZE);
    CHECK(shows_store(copy, SIZE), "copies are not shared any more");
    free_pair(pair);
    return KEPT;
}

/* The kernel frees no memory that is locked; what is not may be freed whatever else is. */
static int locked_memory_is_not_freed(void)
{
    struct pair pair = pair_of(4);
    void *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (mlockall(MCL_CURRENT) != 0) {
        printf("# memory cannot be locked: error %d\n", errno);
        return SKIPPED;
    }
    FAILS(madvise(pair.copy, SIZE, MADV_FREE), -1, EINVAL);
    FAILS(madvise(pair.copy, SIZE, MADV_DONTNEED), -1, EINVAL);
    CHECK(holds(pair.copy, SIZE, 0, 4), "the contents changed");
    munlockall();
    mlock(other, PAGE);
    CHECK(madvise(pair.copy, SIZE, MADV_FREE) == 0, "error %d", errno);
    paint(pair.copy, SIZE, 5);
    CHECK(holds(pair.copy, SIZE, 0, 5) && holds(pair.original, SIZE, 0, 4), "the contents changed");
    munmap(other, PAGE);
    free_pair(pair);
    return KEPT;
}

/* The whole range is one huge page or more, wherever it begins. */
static int collapse_is_what_it_is(void)
{
    unsigned char *own = aligned_alloc(PAGE, SIZE);
    struct pair pair = pair_of(4);
    int expected, whole, part;

    paint(own, SIZE, 4);
    expected = madvise(own, SIZE, COLLAPSE) == 0 ? 0 : errno;
    whole = madvise(pair.copy, SIZE, COLLAPSE) == 0 ? 0 : errno;
    part = madvise(pair.original + 7 * PAGE, SIZE / 2, COLLAPSE) == 0 ? 0 : errno;
    CHECK(whole == expected && part == expected, "errors %d and %d instead of %d", whole, part, expected);
    CHECK(holds(pair.copy, SIZE, 0, 4) && holds(pair.original, SIZE, 0, 4), "the contents changed");
    pair.copy[5]++;
    CHECK(holds(pair.original, SIZE, 0, 4), "the original changed with the copy");
    free_pair(pair);
    free(own);
    return KEPT;
}

static int policy_of(void *memory)
{
    int mode = -1;

    return syscall(SYS_get_mempolicy, &mode, NULL, 0, memory, MPOL_F_ADDR) == 0 ? mode : -errno;
}

static bool flag_of(const void *memory, const char *flag)
{
    char line[512];
    bool inside = false, found = false;
    FILE *maps = fopen("/proc/self/smaps", "r");

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)memory >= from && (uintptr_t)memory < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flag) != NULL;
    }
    if (maps != NULL)
        fclose(maps);
    return found;
}

static int places_are_kept(void)
{
    struct pair pair = pair_of(5), next;
    unsigned long nodes = 1;

    if (syscall(SYS_mbind, pair.copy, SIZE, MPOL_BIND, &nodes, 64, 0) != 0) {
        printf("# no NUMA policies here\n");
        return SKIPPED;
    }
    CHECK(policy_of(pair.copy + SIZE / 2) == MPOL_BIND, "a view has no policy");
    memcpy(pair.copy, pair.original, SIZE);
    memcpy(pair.original, pair.copy, SIZE);
    CHECK(policy_of(pair.copy + SIZE / 2) == MPOL_BIND, "the policy is gone after a copy");
    CHECK(holds(pair.copy, SIZE, 0, 5), "the contents changed");
    next = pair_of(6);
    CHECK(shows_store(next.copy, SIZE), "other memory is not shared any more");
    free_pair(pair);
    free_pair(next);
    return KEPT;
}

static int while_placed(void)
{
    unsigned long nodes = 1;
    struct pair pair;

    if (syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 64) != 0) {
        printf("# no NUMA policies here\n");
        return SKIPPED;
    }
    pair = pair_of(6);
    CHECK(!shows_store(pair.copy, SIZE) && holds(pair.copy, SIZE, 0, 6),
          "a copy was shared although pages shall lie where the program says");
    free_pair(pair);
    CHECK(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 0) != 0, "a policy without a node");
    CHECK(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0) == 0, "%s", strerror(errno));
    CHECK(syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 0) != 0, "a policy without a node");
    pair = pair_of(7);
    CHECK(shows_store(pair.copy, SIZE), "a policy that is gone, or was refused, still keeps copies from being shared");
    free_pair(pair);
    return KEPT;
}

static int advice_is_kept(void)
{
    struct pair pair = pair_of(7);

    if (madvise(pair.original, SIZE, MADV_NOHUGEPAGE) != 0) {
        printf("# no huge pages here\n");
        return SKIPPED;
    }
    memcpy(pair.copy, pair.original, SIZE);
    memcpy(pair.original, pair.copy, SIZE);
    CHECK(flag_of(pair.original + SIZE / 2, " nh"), "the advice is gone");
    CHECK(holds(pair.original, SIZE, 0, 7), "the contents changed");
    free_pair(pair);
    return KEPT;
}

static int names_are_kept(void)
{
    struct pair pair = pair_of(8);
    void *plain = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int expected = prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, plain, PAGE, "a name");

    CHECK(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, pair.copy, SIZE, "a name") == expected, "a view cannot be named: error %d", errno);
    CHECK(holds(pair.copy, SIZE, 0, 8), "the contents changed");
    munmap(plain, PAGE);
    free_pair(pair);
    return KEPT;
}

static int seals_are_kept(void)
{
    struct pair pair = pair_of(9);

    if (syscall(SYS_mseal, pair.copy, SIZE, 0) != 0) {
        printf("# no mseal here\n");
        return SKIPPED;
    }
    memcpy(pair.copy, pair.original, SIZE);
    pair.original[PAGE]++;
    CHECK(holds(pair.copy, SIZE, 0, 9), "the contents changed");
    CHECK(madvise(pair.copy, SIZE, MADV_DONTNEED) == 0 && zero(pair.copy, SIZE), "discarded memory is not zero");
    free(pair.original);
    return KEPT;
}

/* A call by its number is met as one by its name. */
static int numbers_do_what_names_do(void)
{
    struct pair pair = pair_of(10);
    unsigned char *moved = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(syscall(SYS_madvise, pair.copy, SIZE / 2, MADV_DONTNEED) == 0 && zero(pair.copy, SIZE / 2), "discarded memory is not zero");
    CHECK(holds(pair.copy + SIZE / 2, SIZE / 2, SIZE / 2, 10), "the rest changed");
    if (syscall(SYS_mlockall, MCL_FUTURE) == 0) {
        memcpy(pair.copy, pair.original, SIZE / 2);
        CHECK(!shows_store(pair.copy, SIZE / 2), "a copy is shared although all is to be locked");
        CHECK(syscall(SYS_munlockall) == 0, "munlockall: error %d", errno);
    }
    memcpy(pair.copy, pair.original, SIZE);
    CHECK(shows_store(pair.copy, SIZE), "a copy is not shared afterwards");
    free_pair(pair);
    pair = (struct pair){aligned_alloc(PAGE, SIZE), aligned_alloc(PAGE, SIZE)};
    if (syscall(SYS_mlock, pair.copy, PAGE) == 0 && syscall(SYS_mlock2, pair.original, PAGE, 0u) == 0) {
        paint(pair.original, SIZE, 11);
        memcpy(pair.copy, pair.original, SIZE);
        CHECK(!shows_store(pair.original, SIZE) && !shows_store(pair.copy, SIZE), "locked memory shows a store");
        CHECK(holds(pair.copy, SIZE, 0, 11), "the copy is wrong");
    }
    paint(moved, 4 * PAGE, 12);
    moved = (unsigned char *)syscall(SYS_mremap, moved, 4 * PAGE, 64 * PAGE, MREMAP_MAYMOVE, 0);
    CHECK(moved != MAP_FAILED && holds(moved, 4 * PAGE, 0, 12) && zero(moved + 4 * PAGE, 60 * PAGE), "what was moved is wrong");
    CHECK(syscall(SYS_munmap, moved, 64 * PAGE) == 0, "munmap: error %d", errno);
    free_pair(pair);
    return KEPT;
}

/* attributes crowded: a program that needs nearly all of the mappings that a process may have finds them although copies had taken them. */
enum { ARRAYS = 3000, GUARDS = 31000 };
#define SMALL ((size_t)16 << 10)

static int mappings_are_given_up(void)
{
    static unsigned char *arrays[ARRAYS];
    unsigned char *guarded = mmap(NULL, GUARDS * 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int shown = 0;

    for (int i = 0; i < ARRAYS; i++) {
        arrays[i] = aligned_alloc(PAGE, SMALL);
        if (i == 0)
            paint(arrays[i], SMALL, 1);
        else
            memcpy(arrays[i], arrays[0], SMALL);
        arrays[i][PAGE] = (unsigned char)i;
    }
    for (int i = 0; i < ARRAYS; i += 100)
        shown += shows_store(arrays[i], SMALL);
    CHECK(shown > 20, "only %d of 30 arrays are shared", shown);
    for (size_t i = 0; i < GUARDS; i++)
        CHECK(mprotect(guarded + i * 2 * PAGE, PAGE, PROT_NONE) == 0, "guard %zu: error %d", i, errno);
    for (int i = 1; i < ARRAYS; i++) {
        CHECK(holds(arrays[i], PAGE, 0, 1) && holds(arrays[i] + PAGE + 1, SMALL - PAGE - 1, PAGE + 1, 1), "array %d changed", i);
        CHECK(arrays[i][PAGE] == (unsigned char)i, "array %d lost a byte", i);
    }
    munmap(guarded, GUARDS * 2 * PAGE);
    return KEPT;
}

int main(int count, char **words)
{
    static const struct story crowded[] = {{"mappings that the program needs are given up", mappings_are_given_up}};
    static const struct story stories[] = {
        {"while pages are discarded nobody sees what was there before the last write", no_step_is_seen},
        {"a range with a gap is discarded all around it", a_gap_changes_nothing},
        {"calls that the kernel refuses leave all as it is", refused_calls_change_nothing},
        {"locked memory is not freed, other memory is", locked_memory_is_not_freed},
        {"MADV_COLLAPSE says of copies what it says of other memory", collapse_is_what_it_is},
        {"NUMA policies are kept", places_are_kept},
        {"while pages shall lie where the program says no copy is shared, and later they are", while_placed},
        {"MADV_NOHUGEPAGE is kept", advice_is_kept},
        {"mappings can be named", names_are_kept},
        {"calls by number do what they do by name", numbers_do_what_names_do},
        {"sealed mappings are left alone", seals_are_kept},
    };

    return count > 1 && strcmp(words[1], "crowded") == 0 ? tell_all(crowded, 1) : tell_all(stories, COUNT_OF(stories));
}
