/* SPDX-License-Identifier: MIT */
/* The one door to Linux. Every system call of ours goes through here, returns a value or -errno, and leaves errno alone. Calls are made by
   number, because libc's wrappers are cancellation points and we interpose some of them. Tests make each call fail (base/fault.h), except
   those by SYS_MUST(), which undo something or wake somebody and whose failure nobody could handle. */
#ifndef COWSHIM_BASE_SYS_H
#define COWSHIM_BASE_SYS_H

#include <stdbool.h>

/* Tests make each call site fail in turn, so that one call in the sources has to be one call in the library. clang could duplicate a call
   by inlining or by peeling a loop, and this attribute forbids it; gcc has none like it. */
#if __has_attribute(noduplicate)
#define SYS_ONE_PLACE __attribute__((noduplicate))
#else
#define SYS_ONE_PLACE
#endif

long sys_call(long number, long a, long b, long c, long d, long e, long f) SYS_ONE_PLACE;
long sys_must(long number, long a, long b, long c, long d, long e, long f);

/* A call site is known by its return address. The empty statement behind the call keeps the compiler from turning a call at the end of a
   function into a jump, after which the return address would be that of the caller's caller. */
static inline __attribute__((always_inline)) long sys_site(long number, long a, long b, long c, long d, long e, long f)
{
    long result = sys_call(number, a, b, c, d, e, f);

    __asm__ volatile("" : "+r"(result));
    return result;
}

#define SYS_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define SYS_ARG(x) ((long)(x))
#define SYS_1(how, n) how(n, 0, 0, 0, 0, 0, 0)
#define SYS_2(how, n, a) how(n, SYS_ARG(a), 0, 0, 0, 0, 0)
#define SYS_3(how, n, a, b) how(n, SYS_ARG(a), SYS_ARG(b), 0, 0, 0, 0)
#define SYS_4(how, n, a, b, c) how(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), 0, 0, 0)
#define SYS_5(how, n, a, b, c, d) how(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), 0, 0)
#define SYS_6(how, n, a, b, c, d, e) how(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), 0)
#define SYS_7(how, n, a, b, c, d, e, f) how(n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), SYS_ARG(f))

/* SYS(number, arguments...): tests may make it fail. SYS_MUST(number, arguments...): they do not. */
#define SYS(...) SYS_PICK(__VA_ARGS__, SYS_7, SYS_6, SYS_5, SYS_4, SYS_3, SYS_2, SYS_1, )(sys_site, __VA_ARGS__)
#define SYS_MUST(...) SYS_PICK(__VA_ARGS__, SYS_7, SYS_6, SYS_5, SYS_4, SYS_3, SYS_2, SYS_1, )(sys_must, __VA_ARGS__)

/* For calls that cannot go through sys_call(), such as clone(): returns 0, or the -errno with which this call is to fail. */
int sys_must_fail(void) SYS_ONE_PLACE;
/* How many calls by SYS() and sys_must_fail() there have been. */
unsigned long sys_count(void);

/* Is called before each of these with its number, counted from 1, and its call site, as the distance from sys_call(). Returns 0, or the
   -errno with which the call fails without being made. */
typedef long sys_fault(unsigned long now, long site);
void sys_set_fault(sys_fault *fault);

/* Sleeps that many milliseconds, or until a signal comes. */
void sys_pause(unsigned milliseconds);
/* The id of the calling process, as the kernel knows it. */
long sys_process(void);

/* Reads a small file whole, and terminates what it read. Returns its length, at most size - 1, or -errno. */
long sys_read_file(const char *path, char *buffer, unsigned long size);
/* The number at the start of a file such as /proc/sys/vm/max_map_count, or fallback where it cannot be read. */
unsigned long sys_read_number(const char *path, unsigned long fallback);

#endif
