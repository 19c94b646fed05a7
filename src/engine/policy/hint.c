/* SPDX-License-Identifier: MIT */
#include "engine/policy/hint.h"

#include <stdatomic.h>

#include "base/poison.h"

#define HINTS 256
#define FIRST 3
#define LAST 255
#define ANY_TARGET 0

/* One word each, so that no lock is needed: what the copy is in the upper bits, how many more are plain unseen, and how many are after
   the next look. */
#define LEFT_SHIFT 8
#define MARK (~(((uint64_t)1 << 16) - 1))

static _Atomic uint64_t hints[HINTS];

static uint64_t mark_of(uintptr_t to, uintptr_t from, size_t size)
{
    uint64_t hash = (to ^ from * UINT64_C(0xff51afd7ed558ccd) ^ (uint64_t)size << 40 ^ size) * UINT64_C(0x9e3779b97f4a7c15);

    return ((hash ^ hash >> 32) * UINT64_C(0xbf58476d1ce4e5b9)) | 1 << 16;
}

static _Atomic uint64_t *place_of(uint64_t mark)
{
    return &hints[mark >> 56];
}

static uint64_t word(uint64_t mark, unsigned left, unsigned span)
{
    return (mark & MARK) | (uint64_t)left << LEFT_SHIFT | span;
}

bool hint_plain(uintptr_t to, uintptr_t from, size_t size)
{
    uint64_t mark = mark_of(to, from, size);
    uint64_t now = atomic_load_explicit(place_of(mark), memory_order_relaxed);
    unsigned left = now >> LEFT_SHIFT & 0xff;

    if ((now & MARK) != (mark & MARK) || left == 0)
        return false;
    atomic_store_explicit(place_of(mark), word(mark, left - 1, now & 0xff), memory_order_relaxed);
    return true;
}

/* How many copies pass after this judgement: one more than twice as many as after the last one. */
static unsigned next_span(uint64_t mark)
{
    uint64_t now = atomic_load_explicit(place_of(mark), memory_order_relaxed);
    unsigned span = (now & MARK) == (mark & MARK) && (now & 0xff) != 0 ? 2 * (now & 0xff) + 1 : FIRST;

    return span < LAST ? span : LAST;
}

/* Copies to several targets in turn (a ring of buffers) learn from each other how long the span is: it is also kept for any target. */
void hint_give(uintptr_t to, uintptr_t from, size_t size)
{
    uint64_t mark = mark_of(to, from, size), any = mark_of(ANY_TARGET, from, size);
    unsigned own = next_span(mark), common = next_span(any);
    unsigned span = own > common ? own : common;

    atomic_store_explicit(place_of(any), word(any, 0, span), memory_order_relaxed); /* first: both may have one place */
    atomic_store_explicit(place_of(mark), word(mark, span, span), memory_order_relaxed);
}

static void take(uint64_t mark)
{
    if ((atomic_load_explicit(place_of(mark), memory_order_relaxed) & MARK) == (mark & MARK))
        atomic_store_explicit(place_of(mark), 0, memory_order_relaxed);
}

void hint_take(uintptr_t to, uintptr_t from, size_t size)
{
    take(mark_of(to, from, size));
    take(mark_of(ANY_TARGET, from, size));
}

void hint_forget_all(void)
{
    for (int i = 0; i < HINTS; i++)
        atomic_store_explicit(&hints[i], 0, memory_order_relaxed);
}
