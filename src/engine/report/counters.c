/* SPDX-License-Identifier: MIT */
#include "engine/report/counters.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/bytes.h"
#include "base/gate.h"

#include "base/poison.h"

static struct counts own; /* before there is a page; and in a child that was not noticed yet, which has its parent's */
static struct counts *_Atomic shown;

#define COUNTER(name, words) _Static_assert(sizeof #name <= COUNT_NAME_SIZE, "names end in a zero byte");
#include "engine/report/counters.def"
#undef COUNTER
#define REASON(name, words) _Static_assert(sizeof #name <= COUNT_NAME_SIZE, "names end in a zero byte");
#include "engine/report/reasons.def"
#undef REASON

static const char *const names[][2] = {
#define COUNTER(name, words) {#name, words},
#include "engine/report/counters.def"
#undef COUNTER
};

static const char *const reasons[][2] = {
#define REASON(name, words) {#name, words},
#include "engine/report/reasons.def"
#undef REASON
};

static struct counts *counts_now(void)
{
    struct counts *counts = atomic_load_explicit(&shown, memory_order_acquire);

    return counts == NULL || gate_orphaned() ? &own : counts;
}

static void add(_Atomic uint64_t *value, uint64_t amount)
{
    atomic_fetch_add_explicit(value, amount, memory_order_relaxed);
}

static uint64_t load(_Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* The counts from before the exported page existed were moved there; a thread that was late may have added to the old ones since. */
static uint64_t sum(const struct counts *now, _Atomic uint64_t *value, _Atomic uint64_t *of_own)
{
    return now == &own ? load(of_own) : load(value) + load(of_own);
}

void counter_add(enum counter counter, uint64_t amount)
{
    add(&counts_now()->counters[counter].number, amount);
}

uint64_t counter_read(enum counter counter)
{
    struct counts *now = counts_now();

    return sum(now, &now->counters[counter].number, &own.counters[counter].number);
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
    struct count *count = &counts_now()->reasons[reason];

    add(&count->number, 1);
    add(&count->bytes, bytes);
}

uint64_t reason_copies(enum reason reason)
{
    struct counts *now = counts_now();

    return sum(now, &now->reasons[reason].number, &own.reasons[reason].number);
}

uint64_t reason_bytes(enum reason reason)
{
    struct counts *now = counts_now();

    return sum(now, &now->reasons[reason].bytes, &own.reasons[reason].bytes);
}

const char *reason_name(enum reason reason)
{
    return reasons[reason][0];
}

enum reason reason_of_error(int error)
{
    switch (error) {
    case 0:
        return REASON_none;
    case -ENOSPC:
    case -EMFILE:
    case -ENFILE:
        return REASON_budget;
    case -ESTALE:
        return REASON_unlike_maps;
    case -EDEADLK:
        return REASON_no_guard;
    case -ENOLCK:
        return REASON_not_held;
    case -ENODATA: /* ours: the kernel does not tell which pages are there */
        return REASON_no_pagemap;
    default:
        return REASON_no_store;
    }
}

const char *reason_words(enum reason reason)
{
    return reasons[reason][1];
}

static void move(struct count *from, struct count *to, const char *name)
{
    bytes_copy(to->name, name, strlen(name));
    add(&to->number, atomic_exchange(&from->number, 0));
    add(&to->bytes, atomic_exchange(&from->bytes, 0));
}

void counters_move(struct counts *to)
{
    atomic_store_explicit(&shown, to, memory_order_release);
    if (to == NULL)
        return;
    for (int i = 0; i < COUNTERS; i++)
        move(&own.counters[i], &to->counters[i], names[i][0]);
    for (int i = 0; i < REASONS; i++)
        move(&own.reasons[i], &to->reasons[i], reasons[i][0]);
}

static void clear(struct count *count)
{
    atomic_store(&count->number, 0);
    atomic_store(&count->bytes, 0);
}

void counters_reset(void)
{
    struct counts *now = counts_now();

    for (int i = 0; i < COUNTERS; i++)
        clear(&now->counters[i]);
    for (int i = 0; i < REASONS; i++)
        clear(&now->reasons[i]);
}
