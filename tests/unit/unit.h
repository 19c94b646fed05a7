/* SPDX-License-Identifier: MIT */
/* What every unit test needs. A test is TEST(suite, promise) { ... }: a Criterion test. Criterion cannot run under
   ThreadSanitizer (its worker's memory lies where TSan's shadow is), so there unit_main.c runs the same tests itself. */
#ifndef COWSHIM_TESTS_UNIT_H
#define COWSHIM_TESTS_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "tests/support/check.h"

#if defined(__SANITIZE_THREAD__)
#define UNIT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNIT_TSAN 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define UNIT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNIT_ASAN 1
#endif
#endif

#ifndef UNIT_TSAN
#define UNIT_TSAN 0
#endif
#ifndef UNIT_ASAN
#define UNIT_ASAN 0
#endif
#ifndef UNIT_COVERAGE
#define UNIT_COVERAGE 0 /* tools/coverage */
#endif

/* Each test runs in a child with one thread (Criterion's workers have a second one, which blocks every signal). */
#if UNIT_TSAN

struct unit_test {
    const char *suite, *name;
    void (*body)(void);
};

#define TEST(suite, name) \
    static void body_##suite##_##name(void); \
    static const struct unit_test entry_##suite##_##name = {#suite, #name, body_##suite##_##name}; \
    static const struct unit_test *const pointer_##suite##_##name __attribute__((section("unit_tests"), used)) = &entry_##suite##_##name; \
    static void body_##suite##_##name(void)

#else

#include <criterion/criterion.h>

#define TEST(suite, name) \
    static void body_##suite##_##name(void); \
    Test(suite, name) \
    { \
        unit_report(body_##suite##_##name); \
    } \
    static void body_##suite##_##name(void)

void unit_report(void (*body)(void));

#endif

enum unit_outcome { UNIT_PASSED, UNIT_SKIPPED, UNIT_FAILED };

/* Runs the body in a child; the text is why it failed or was skipped. */
enum unit_outcome unit_run(void (*body)(void), const char **text);

#define UNIT_FAIL(...) check_failed(__FILE__, __LINE__, "", " " __VA_ARGS__)
#define SKIP(...) unit_skip(__VA_ARGS__)

#define CHECK_END ((void)0) /* check_failed() does not return */
void check_failed(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((noreturn, format(printf, 4, 5)));
void unit_skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#define CHECK_EQ(a, b) \
    do { \
        long long a_ = (long long)(a), b_ = (long long)(b); \
        if (a_ != b_) \
            UNIT_FAIL("%s is %lld, not %s = %lld", #a, a_, #b, b_); \
    } while (0)
#define CHECK_AT(condition, where) \
    do { \
        if (!(condition)) \
            UNIT_FAIL("%s at %s = %lld", #condition, #where, (long long)(where)); \
    } while (0)

/* The start-up order of the shim, with these switches (COWSHIM_INTERNAL; NULL: none). COWSHIM_MIN_SIZE is 64K and
   COWSHIM_POLICY is memory, so that what is shared depends on nothing that happened before; a test may set both first. */
void unit_start(const char *internal);
/* Only what base/ and kernel/ need: next symbols, page size, configuration. */
void unit_start_base(const char *internal);

/* Anonymous memory, on a 2 MiB boundary, never given back. */
char *unit_map(size_t size);
/* The same as a block of the engine, of whole pages. */
char *unit_block(size_t pages);
void unit_remove(void *start);

/* Filling memory with the pattern of that number (tests/support/pattern.h), and telling it. */
void unit_fill(char *start, size_t size, unsigned number);
bool unit_holds(const char *start, size_t size, unsigned number);
bool unit_all(const char *start, size_t size, int value);

/* engine_copy, and memcpy where it declines; true: the engine did it. */
bool unit_copy(void *to, const void *from, size_t size);
/* The same from another place in the program. */
bool unit_copy_by(void *to, const void *from, size_t size, const void *caller);

/* What the calls between say on descriptor 2. */
void unit_capture_begin(void);
const char *unit_capture_end(void);

/* The status of a forked child that runs the function and exits with what it returns. */
int unit_child(int (*run)(void *), void *argument);
/* The end of a child that a test makes by itself. */
void unit_exit(int status) __attribute__((noreturn));

uint64_t unit_random(void); /* the same sequence in every run, in every thread */

/* Stops TSan's own thread, which blocks SIGSEGV and so makes the mprotect guard decline. */
void unit_alone(void);

#endif
