/* SPDX-License-Identifier: MIT */
#include "profile/again.h"

#include "profile/clock.h"
#include "profile/memory.h"
#include "profile/sample.h"
#include "profile/tell.h"
#include "profile/thrift.h"

/* All blocks at most this often, and this long at the end. */
#define PAUSE UINT64_C(10000000)
#define AT_END UINT64_C(300000000)

static struct purse purse = {.share = 100, .gift = 1000000};
static uint64_t round_began;
static uintptr_t next_start; /* where it goes on; 0: the next round is not begun */

void again_look(struct watched *block, uint32_t first, uint32_t end)
{
    static struct trail_sample changed[SAMPLES_MOST];
    struct trail_block what = {.start = block->node.key, .size = block->size};

    if (block->count == 0)
        return;
    what.samples = sample_again(block, first, end, changed);
    tell_block(TRAIL_CHANGED, 0, &what, changed);
}

/* The next one with samples, from where we stopped. */
static struct watched *next_to_look_at(void)
{
    struct watched *block = watched_from(next_start);

    while (block != NULL && block->count == 0)
        block = watched_after(block);
    return block;
}

/* Goes round all blocks, as far as there is time for it. */
static void look_around(uint64_t deadline)
{
    uint64_t now = clock_now();
    struct watched *block;

    if (next_start == 0 && now - round_began < PAUSE)
        return;
    if (next_start == 0)
        round_began = now;
    while (now < deadline) {
        uint64_t before = now;

        block = next_to_look_at();
        next_start = 0;
        if (block == NULL)
            return;
        again_look(block, 0, UINT32_MAX);
        next_start = block->node.key + 1;
        purse_pay(&purse, before);
        now = clock_now();
    }
}

void again_spend_time(void)
{
    uint64_t left = purse_left(&purse);

    if (left > 0)
        look_around(clock_now() + left);
}

/* What lives to the end, as if it left now. */
static void probe_all(void)
{
    for (struct watched *block = watched_from(0); block != NULL; block = watched_after(block)) {
        struct trail_block what = {.start = block->node.key, .size = block->size};

        if (block->copied_into)
            continue;
        memory_probe(block->node.key, block->size, &what.probes, &what.filled);
        tell_block(TRAIL_CHANGED, 0, &what, NULL);
    }
}

void again_at_end(void)
{
    next_start = round_began = 0;
    look_around(clock_now() + AT_END);
    probe_all();
}

void again_after_fork(void)
{
    next_start = round_began = 0;
    purse_refill(&purse);
}
