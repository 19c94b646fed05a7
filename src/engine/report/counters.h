/* SPDX-License-Identifier: MIT */
/* Counters of the process: relaxed atomics, read at any time. They live in the exported page where there is one (export_page.h),
   with their names, so that other processes see them without our doing anything. */
#ifndef COWSHIM_ENGINE_COUNTERS_H
#define COWSHIM_ENGINE_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

enum counter {
#define COUNTER(name, words) COUNT_##name,
#include "engine/report/counters.def"
#undef COUNTER
    COUNTERS
};

enum reason {
#define REASON(name, words) REASON_##name,
#include "engine/report/reasons.def"
#undef REASON
    REASONS,
    REASON_none = REASONS
};

#define COUNT_NAME_SIZE 24

struct count {
    char name[COUNT_NAME_SIZE];
    _Atomic uint64_t number;
    _Atomic uint64_t bytes; /* only of reasons */
};

struct counts {
    struct count counters[COUNTERS];
    struct count reasons[REASONS];
};

void counter_add(enum counter counter, uint64_t amount);
uint64_t counter_read(enum counter counter);
const char *counter_name(enum counter counter);
const char *counter_words(enum counter counter);

/* A large copy or the part of one that stayed plain. */
void reason_add(enum reason reason, uint64_t bytes);
uint64_t reason_copies(enum reason reason);
uint64_t reason_bytes(enum reason reason);
const char *reason_name(enum reason reason);
const char *reason_words(enum reason reason);
/* What an operation that failed so is counted as. */
enum reason reason_of_error(int error);

/* From now on they are counted there, in zeroed memory (NULL: in our own), and what was counted so far goes along. */
void counters_move(struct counts *to);
void counters_reset(void); /* in a forked child, where nobody else runs */

#endif
