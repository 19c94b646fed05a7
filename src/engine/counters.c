/* SPDX-License-Identifier: MIT */
#include "engine/counters.h"

#include <stdatomic.h>

#include "base/poison.h"

static _Atomic uint64_t values[COUNTERS];
static _Atomic uint64_t declined_copies[REASONS];
static _Atomic uint64_t declined_bytes[REASONS];

static const char *const names[][2] = {
#define COUNTER(name, words) {#name, words},
#include "engine/counters.def"
#undef COUNTER
};

static const char *const reasons[][2] = {
#define REASON(name, words) {#name, words},
#include "engine/reasons.def"
#undef REASON
};

void counter_add(enum counter counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&values[counter], amount, memory_order_relaxed);
}

uint64_t counter_read(enum counter counter)
{
    return atomic_load_explicit(&values[counter], memory_order_relaxed);
}

const char *counter_name(enum counter counter)
{
    return names[counter][0];
}

const char *counter_words(enum counter counter)
{
    return names[counter][1];
}

void reason_add(enum reason reason, uint64_t bytes)
{
    atomic_fetch_add_explicit(&declined_copies[reason], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&declined_bytes[reason], bytes, memory_order_relaxed);
}

uint64_t reason_copies(enum reason reason)
{
    return atomic_load_explicit(&declined_copies[reason], memory_order_relaxed);
}

uint64_t reason_bytes(enum reason reason)
{
    return atomic_load_explicit(&declined_bytes[reason], memory_order_relaxed);
}

const char *reason_name(enum reason reason)
{
    return reasons[reason][0];
}

const char *reason_words(enum reason reason)
{
    return reasons[reason][1];
}

void counters_reset(void)
{
    for (int i = 0; i < COUNTERS; i++)
        atomic_store(&values[i], 0);
    for (int i = 0; i < REASONS; i++) {
        atomic_store(&declined_copies[i], 0);
        atomic_store(&declined_bytes[i], 0);
    }
}
