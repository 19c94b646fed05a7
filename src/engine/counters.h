/* SPDX-License-Identifier: MIT */
/* Counters of the process: relaxed atomics, read at any time. */
#ifndef COWSHIM_ENGINE_COUNTERS_H
#define COWSHIM_ENGINE_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

enum counter {
#define COUNTER(name, words) COUNT_##name,
#include "engine/counters.def"
#undef COUNTER
    COUNTERS
};

enum reason {
#define REASON(name, words) REASON_##name,
#include "engine/reasons.def"
#undef REASON
    REASONS,
    REASON_none = REASONS
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

void counters_reset(void); /* in a forked child, where nobody else runs */

#endif
