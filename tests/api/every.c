/* SPDX-License-Identifier: MIT */
/* A program that uses every call of cowshim.h, as one would: C and C++, any compiler, any way to link. What it prints is the same
   without the shim, with it, and in every mode; run.sh compares. Its exit status says what only it can see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cowshim.h"

#define PAGE ((size_t)4096)
#define SIZE ((size_t)4 << 20)

static unsigned char field[1 << 20];
static int bad;

static void check(int condition, const char *words)
{
    if (!condition) {
        fprintf(stderr, "%s (errno %d)\n", words, errno);
        bad = 1;
    }
}

static void fill(unsigned char *memory, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        memory[i] = (unsigned char)(seed >> 24);
    }
}

static unsigned sum(const unsigned char *memory, size_t size)
{
    unsigned value = 1;

    for (size_t i = 0; i < size; i++)
        value = value * 31 + memory[i];
    return value;
}

static int list(void *context, size_t offset, size_t length)
{
    printf(" %s%lu+%lu", (const char *)context, (unsigned long)offset, (unsigned long)length);
    return 0;
}

static int first_only(void *context, size_t offset, size_t length)
{
    (void)context;
    (void)length;
    return offset < SIZE;
}

static void show_diff(const char *name, const void *a, const void *b, size_t size)
{
    char mark[] = "@";
    ssize_t bytes;

    printf("%s:", name);
    bytes = cowshim_diff(a, b, size, 0, list, mark);
    printf(" = %ld\n", (long)bytes);
    check(bytes == cowshim_diff(a, b, size, 0, NULL, NULL), "counting alone differs");
    check(cowshim_diff(a, b, size, COWSHIM_DIFF_NO_READ, NULL, NULL) >= bytes, "not reading finds less");
}

static void copies(unsigned char *state)
{
    unsigned char *before, *third;

    cowshim_seal(state, SIZE); /* it may be refused, which changes nothing */
    before = (unsigned char *)cowshim_dup(state, SIZE);
    check(before != NULL && memcmp(before, state, SIZE) == 0, "dup");
    state[5] ^= 1;
    state[100 * PAGE] ^= 1;
    state[101 * PAGE + 7] ^= 1;
    before[SIZE - 1] ^= 1;
    show_diff("changed", state, before, SIZE);
    show_diff("a part", state + 50 * PAGE + 3, before + 50 * PAGE + 3, 60 * PAGE);
    show_diff("shifted", state, before + 1, 3 * PAGE);
    check(cowshim_diff(state, before, SIZE, 0, first_only, NULL) == -1 && errno == ECANCELED, "a callback ends it");
    third = (unsigned char *)aligned_alloc(PAGE, SIZE);
    check(cowshim_copy(third, state, SIZE, COWSHIM_ALLOW_PLAIN) >= 0, "copy");
    show_diff("the same", third, state, SIZE);
    check(cowshim_copy(third + PAGE, third, 9 * PAGE, COWSHIM_ALLOW_PLAIN) >= 0, "overlapping copy");
    show_diff("moved up", third, state, SIZE);
    printf("sums %u %u %u\n", sum(state, SIZE), sum(before, SIZE), sum(third, SIZE));
    free(third);
    free(before);
}

static void merged(const unsigned char *state)
{
    unsigned char *loaded = (unsigned char *)aligned_alloc(PAGE, SIZE);
    ssize_t shared;

    fill(loaded, SIZE, 1);
    shared = cowshim_merge(loaded, (void *)state, SIZE, 0); /* it may be refused, which changes nothing */
    check(shared <= (ssize_t)SIZE, "merge");
    loaded[3] ^= 1;
    show_diff("merged", loaded, state, SIZE);
    check(cowshim_merge(loaded, loaded + PAGE, SIZE / 2, 0) == -1 && errno == EINVAL, "misuse of merge");
    check(cowshim_merge(loaded, (void *)state, SIZE, 8) == -1 && errno == EINVAL, "an unknown flag of merge");
    printf("sums %u %u\n", sum(loaded, SIZE), sum(state, SIZE));
    free(loaded);
}

static void registered(void)
{
    unsigned char *arena = (unsigned char *)mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *copy;

    check(cowshim_register(arena, SIZE, 0) == 0 && cowshim_register(field, sizeof field, 0) == 0, "register");
    fill(arena, SIZE / 2, 3);
    fill(field, sizeof field, 4);
    check(cowshim_expect_rewrite(field, sizeof field) == 0 && cowshim_exclude(field, sizeof field) == 0, "hints");
    check(cowshim_include(field, sizeof field) == 0, "include");
    copy = (unsigned char *)cowshim_dup(arena, SIZE);
    arena[SIZE / 2 + 9] = 1;
    show_diff("arena", arena, copy, SIZE);
    check(cowshim_copy(copy, field, sizeof field, COWSHIM_ALLOW_PLAIN) >= 0, "copy of a static array");
    printf("sums %u %u %u\n", sum(arena, SIZE), sum(copy, SIZE), sum(field, sizeof field));
    check(cowshim_unregister(arena, SIZE) == 0 && cowshim_unregister(field, sizeof field) == 0, "unregister");
    printf("sums %u %u\n", sum(arena, SIZE), sum(field, sizeof field));
    free(copy);
    munmap(arena, SIZE);
}

static void figures(const unsigned char *state)
{
    struct cowshim_figures now;
    struct cowshim_pages pages;
    int result = cowshim_residency(state, SIZE, &pages);

    check(cowshim_stats(&now, sizeof now) == 0, "stats");
    if (cowshim_active()) {
        check(result == 0 && pages.hole_bytes + pages.private_bytes + pages.shared_bytes == SIZE, "residency");
        check(cowshim_version() != NULL, "version");
    } else {
        check(result == -1 && errno == ENOSYS, "residency without the shim");
        check(now.blocks == 0, "stats without the shim");
        check(cowshim_copy(field, state, sizeof field, COWSHIM_REQUIRE) == -1 && errno == ENOSYS, "required without the shim");
    }
    check(cowshim_copy(NULL, state, SIZE, COWSHIM_ALLOW_PLAIN) == -1 && errno == EINVAL, "misuse");
    check(cowshim_register(field, sizeof field, 7) == -1 && errno == EINVAL, "misuse of register");
    check(cowshim_dup(state, 0) == NULL && errno == EINVAL, "misuse of dup");
}

static void in_a_child(void)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        registered();
        fflush(stdout);
        _exit(bad);
    }
    check(waitpid(child, &status, 0) == child && status == 0, "the child");
}

int main(int argc, char **argv)
{
    unsigned char *state = (unsigned char *)aligned_alloc(PAGE, SIZE); /* ranges are told by its pages */

    if (argc > 1) { /* with an argument: whether the shim was found, and no more */
        printf("%d %s\n", cowshim_active(), argv[1]);
        return 0;
    }
    fill(state, SIZE, 1);
    copies(state);
    merged(state);
    registered();
    figures(state);
    in_a_child();
    free(state);
    return bad;
}
