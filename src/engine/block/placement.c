/* SPDX-License-Identifier: MIT */
#include "engine/block/placement.h"

#include <stdatomic.h>

#include "base/page.h"
#include "engine/engine.h"

#include "base/poison.h"

/* A maker some of whose blocks started ahead and should not have may make objects of several kinds: its blocks start at a page boundary
   for good, as those of everybody else. */
enum { UNKNOWN, AHEAD, AT_BOUNDARY };

#define STATE_BITS ((uint32_t)3)
#define MAKERS 256

/* The maker, and in the lowest bits what is known of it. Of two makers with one entry the later one has it: the other is unknown again. */
static _Atomic uint32_t known[MAKERS];

static _Atomic uint32_t *entry_of(uint32_t maker)
{
    return &known[(maker >> 2) % MAKERS];
}

static uint32_t state_of(uint32_t maker)
{
    uint32_t entry = atomic_load_explicit(entry_of(maker), memory_order_relaxed);

    return (entry & ~STATE_BITS) == (maker & ~STATE_BITS) ? entry & STATE_BITS : UNKNOWN;
}

size_t engine_lead(uint32_t maker, bool guess)
{
    uint32_t state = maker == 0 ? AT_BOUNDARY : state_of(maker);

    return state == AHEAD || (state == UNKNOWN && guess) ? ENGINE_LEAD : 0;
}

static void learn(uint32_t maker, uint32_t state)
{
    if (state_of(maker) != AT_BOUNDARY)
        atomic_store_explicit(entry_of(maker), (maker & ~STATE_BITS) | state, memory_order_relaxed);
}

/* One end of the copy, and where the other one is. */
static void learn_of(const struct block *block, uintptr_t at, uintptr_t other)
{
    if (block == NULL || block->maker == 0 || !page_aligned(other))
        return;
    if (page_aligned(block_start(block)) && at - block_start(block) == ENGINE_LEAD)
        learn(block->maker, AHEAD);
    else if (page_aligned(block_start(block) + ENGINE_LEAD) && at == block_start(block))
        learn(block->maker, AT_BOUNDARY);
}

void placement_learn(const struct block *target, uintptr_t to, uintptr_t from, size_t size)
{
    size_t apart = (to - from) & (page_size - 1);
    struct block *source;

    if (apart != ENGINE_LEAD && apart != page_size - ENGINE_LEAD)
        return;
    learn_of(target, to, from);
    source = block_find_range(from, size);
    learn_of(source, from, to);
    block_release(source);
}
