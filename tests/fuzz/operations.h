/* SPDX-License-Identifier: MIT */
/* What a fuzzed input means: its first bytes choose what the machine can do, the others are operations on a few blocks of the
   engine, each with a picture of its own that the engine cannot see. Every input means something, however short. */
#ifndef COWSHIM_TESTS_FUZZ_OPERATIONS_H
#define COWSHIM_TESTS_FUZZ_OPERATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "slots.h"

/* Runs the input in this process, which has not started the engine yet, and does not return: it ends with status 0, or says what
   differs and ends with 1. */
void operations_run(const uint8_t *data, size_t size, void (*before_end)(void)) __attribute__((noreturn));

/* As the shim's memcpy of as much as both have. */
void copy_whole(struct slot *to, const struct slot *from);
/* As its madvise(MADV_DONTNEED). */
void discard(struct slot *slot, struct range range);

#endif
