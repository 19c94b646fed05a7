/* SPDX-License-Identifier: MIT */
/* System calls by an instruction of the program's own, which no hook sees. */
#ifndef COWSHIM_TESTS_PRELOAD_INSTRUCTION_H
#define COWSHIM_TESTS_PRELOAD_INSTRUCTION_H

#include <stddef.h>
#include <sys/syscall.h>

#if defined __x86_64__
#define HAVE_INSTRUCTION 1
/* The result, or -errno. */
static inline long call_by_instruction(long number, const long a[6])
{
    register long fourth __asm__("r10") = a[3];
    register long fifth __asm__("r8") = a[4];
    register long sixth __asm__("r9") = a[5];
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined __aarch64__
#define HAVE_INSTRUCTION 1
static inline long call_by_instruction(long number, const long a[6])
{
    register long which __asm__("x8") = number;
    register long first __asm__("x0") = a[0];
    register long second __asm__("x1") = a[1];
    register long third __asm__("x2") = a[2];
    register long fourth __asm__("x3") = a[3];
    register long fifth __asm__("x4") = a[4];
    register long sixth __asm__("x5") = a[5];

    __asm__ volatile("svc 0" : "+r"(first) : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth) : "memory");
    return first;
}
#else
#define HAVE_INSTRUCTION 0
static inline long call_by_instruction(long number, const long a[6])
{
    (void)number;
    (void)a;
    return -1;
}
#endif

#define INSTRUCTION(number, ...) call_by_instruction(number, (const long[6]){__VA_ARGS__})

#endif
