/* SPDX-License-Identifier: MIT */
#ifndef COWSHIM_TESTS_FUZZ_TARGET_H
#define COWSHIM_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Runs one input in a process of its own, so that no input depends on those before it: its wait status, 0 if all was right. */
int target_run(const uint8_t *data, size_t size);

#endif
