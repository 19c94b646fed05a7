/* SPDX-License-Identifier: MIT */
/* A call that is no business of ours costs a compare and a jump: counted by the processor's single steps, which no other load on
   the machine can disturb, against the same call of libc's own function. */
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include "story.h"

#ifdef __x86_64__
#include <x86intrin.h>

#define TRAP_FLAG 0x100u
#define JUMP 4                /* compare, branch, jump to the next definition, which clang loads first */
#define SAVED 4               /* what clang saves and restores around the way that is not taken */
#define FAR ((size_t)1 << 16) /* still below the smallest size that is looked at */

static volatile sig_atomic_t steps;

static void count_step(int number)
{
    (void)number;
    steps++;
}

typedef void *copy_call(void *to, const void *from, size_t size);
typedef void *fill_call(void *to, int value, size_t size);
typedef void *checked_copy_call(void *to, const void *from, size_t size, size_t room);
typedef void *malloc_call(size_t size);
typedef void free_call(void *start);

/* The same work for each function, so that only the way to it differs. */
union call {
    void *symbol;
    copy_call *copy;
    fill_call *fill;
    checked_copy_call *checked_copy;
    malloc_call *allocate;
    free_call *give;
};

static char *to, *from;
static void *kept;

static void do_copy(union call call, size_t size)
{
    call.copy(to, from, size);
}

static void do_fill(union call call, size_t size)
{
    call.fill(to, 1, size);
}

static void do_checked_copy(union call call, size_t size)
{
    call.checked_copy(to, from, size, FAR);
}

static void do_malloc(union call call, size_t size)
{
    kept = call.allocate(size);
}

static void do_free(union call call, size_t size)
{
    (void)size;
    call.give(kept);
    kept = NULL;
}

typedef void work(union call call, size_t size);

/* Compiled once: what it takes itself is the same for both. */
static __attribute__((noinline)) int steps_of(work *do_it, union call call, size_t size)
{
    steps = 0;
    __writeeflags(__readeflags() | TRAP_FLAG);
    do_it(call, size);
    __writeeflags(__readeflags() & ~(unsigned long long)TRAP_FLAG);
    return steps;
}

static void *own_of_libc(const char *name)
{
    static void *libc;

    if (libc == NULL)
        libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    return libc == NULL ? NULL : dlsym(libc, name);
}

/* What the shim's way is longer, at most. */
static int longer(const char *name, work *do_it, size_t size, int most)
{
    union call ours = {dlsym(RTLD_DEFAULT, name)}, libc = {own_of_libc(name)};
    int with, without;

    CHECK(ours.symbol != NULL && libc.symbol != NULL, "no %s", name);
    CHECK(ours.symbol != libc.symbol, "%s is not the shim's", name);
    do_it(libc, size); /* what is bound or filled at the first call */
    do_it(ours, size);
    without = steps_of(do_it, libc, size);
    with = steps_of(do_it, ours, size);
    CHECK(without > 0, "%s: nothing was counted", name);
    CHECK(with - without <= most, "%s of %zu bytes takes %d steps more than libc's", name, size, with - without);
    return KEPT;
}

static int tell_copies(void)
{
    static const size_t sizes[] = {1, 16, 64, 4096, FAR};
    int result = KEPT;

    to = malloc(FAR);
    from = calloc(1, FAR);
    CHECK(to != NULL && from != NULL, "no memory");
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        result |= longer("memcpy", do_copy, sizes[i], JUMP);
        result |= longer("memmove", do_copy, sizes[i], JUMP);
        result |= longer("mempcpy", do_copy, sizes[i], JUMP + 5); /* memcpy and an addition */
        result |= longer("memset", do_fill, sizes[i], JUMP);
        result |= longer("__memcpy_chk", do_checked_copy, sizes[i], JUMP);
    }
    free(to);
    free(from);
    return result;
}

/* One pair by libc, one by us: both take the same from the thread's own list. */
static int tell_allocations(void)
{
    static const size_t sizes[] = {16, 100, 1000};

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        union call ours = {dlsym(RTLD_DEFAULT, "malloc")}, libc = {own_of_libc("malloc")};
        union call our_free = {dlsym(RTLD_DEFAULT, "free")}, libc_free = {own_of_libc("free")};
        int with[2], without[2];

        for (int round = 0; round < 2; round++) { /* the first one warms up */
            without[0] = steps_of(do_malloc, libc, sizes[i]);
            without[1] = steps_of(do_free, libc_free, sizes[i]);
            with[0] = steps_of(do_malloc, ours, sizes[i]);
            with[1] = steps_of(do_free, our_free, sizes[i]);
        }
        CHECK(without[0] > 0 && without[1] > 0, "malloc and free: nothing was counted");
        CHECK(with[0] - without[0] <= JUMP + SAVED, "malloc of %zu bytes takes %d steps more than libc's", sizes[i], with[0] - without[0]);
        CHECK(with[1] - without[1] <= JUMP + SAVED, "free of %zu bytes takes %d steps more than libc's", sizes[i], with[1] - without[1]);
    }
    return KEPT;
}

static bool counts(void)
{
    struct sigaction action = {.sa_handler = count_step};

    sigaction(SIGTRAP, &action, NULL);
    to = from = (char[1]){0};
    return steps_of(do_copy, (union call){own_of_libc("memcpy")}, 1) > 0;
}

int main(void)
{
    static const struct story stories[] = {
        {"small copies and fills take a compare and a jump more than libc's", tell_copies},
        {"small allocations and their frees take a compare and a jump more than libc's", tell_allocations},
    };

#ifndef __OPTIMIZE__
    printf("# built without optimization\n");
    return SKIPPED;
#endif
    if (!counts()) {
        printf("# single steps are not reported here\n");
        return SKIPPED;
    }
    return tell_all(stories, COUNT_OF(stories));
}

#else

int main(void)
{
    printf("# instructions are counted on x86-64 only\n");
    return SKIPPED;
}

#endif
