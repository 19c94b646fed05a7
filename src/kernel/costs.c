/* SPDX-License-Identifier: MIT */
#include "kernel/costs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/page.h"
#include "base/sys.h"
#include "kernel/map.h"
#include "kernel/usage.h"

#include "base/poison.h"

/* Faults are measured in groups of which the quickest counts: what interrupted the others is no cost. */
#define GROUP 4
#define GROUPS 4
/* More than the pages which the kernel takes out of the processor's tables one by one (tlb_single_page_flush_ceiling). */
#define PAGES 64

/* In system calls: what it takes to ask the kernel before a copy is shared, and to replace a range by one mapping. */
#define LOOK_CALLS 24
#define MAP_CALLS 6
/* What the kernel maps around a page of a file that is read (fault_around_bytes). */
#define AROUND 16

/* Seals of fewer pages into a huge store are not measured: much of their time may go into the rest of a huge page. */
#define ENOUGH_HUGE 1024
/* Guesses until the first one is measured. A copy of some MiB takes so many times what one takes that stays in the cache next to the
   processor, and one of many MiB so many times that. A page that is sealed into a huge store is zeroed, read and written beyond the cache
   and takes no fault of its own, but at least 1/HUGE_PART of what sealing a small page takes. */
#define NEAR_COPIES 2
#define FAR_COPIES 5
#define HUGE_COPIES 4
#define HUGE_PART 8
#define DROP_PART 8

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic uint32_t fault, fill, copy, copy_far, seal, seal_huge, drop, read_back, map, flush, look;
static _Atomic bool fixed;

static uint32_t least(uint64_t a, uint32_t b)
{
    return a < b ? (uint32_t)a : b;
}

/* Nanoseconds a page, at least one. */
static uint32_t touch_pages(uintptr_t start, int groups)
{
    uint32_t best = UINT32_MAX;

    for (int group = 0; group < groups; group++) {
        uint64_t before = usage_now();

        for (int i = 0; i < GROUP; i++, start += page_size)
            *(volatile char *)start = 1;
        best = least((usage_now() - before) / GROUP, best);
    }
    return best > 0 ? best : 1;
}

static uint32_t populate_pages(uintptr_t start)
{
    uint64_t before = usage_spent();
    int error = map_populate_write(start, PAGES * page_size);

    return error != 0 ? UINT32_MAX : least((usage_spent() - before) / PAGES, UINT32_MAX);
}

static uint64_t drop_pages(uintptr_t start, size_t pages)
{
    uint64_t before = usage_spent();

    map_discard(start, pages * page_size);
    return usage_spent() - before;
}

static uint32_t copy_pages(uintptr_t to, uintptr_t from)
{
    uint32_t best = UINT32_MAX;

    for (int i = 0; i < GROUPS; i++) {
        uint64_t before = usage_now();

        bytes_copy((void *)to, (const void *)from, PAGES * page_size);
        best = least((usage_now() - before) / PAGES, best);
    }
    return best > 0 ? best : 1;
}

static uint32_t call(void)
{
    uint32_t best = UINT32_MAX;

    for (int i = 0; i < GROUPS; i++) {
        uint64_t before = usage_now();

        sys_process();
        best = least(usage_now() - before, best);
    }
    return best > 0 ? best : 1;
}

/* Where there is no memory to measure in: assumes that a fault costs as much as eight system calls. */
static void guess(uint32_t one_call)
{
    fault = fill = 8 * one_call;
    copy = drop = one_call;
    copy_far = FAR_COPIES * copy;
    seal = 2 * fault;
    seal_huge = seal / HUGE_PART;
}

/* Two measurements tell the price of a page from the fixed price of the call: giving back PAGES pages (the quicker of two tries), and
   giving back twice as many. More than a part of what making a page costs is an interruption. */
static void measure_drops(uintptr_t start)
{
    uint64_t few = UINT64_MAX, many;

    for (int i = 0; i < 2; i++) {
        uint64_t now = drop_pages(start, PAGES);

        few = now < few ? now : few;
        populate_pages(start);
        touch_pages(start, PAGES / GROUP);
    }
    many = drop_pages(start, 2 * PAGES);
    drop = many > few ? least((many - few) / PAGES, fill / DROP_PART) : 1;
    flush = few > (uint64_t)drop * PAGES ? least(few - (uint64_t)drop * PAGES, UINT32_MAX) : 0;
}

static void measure_pages(uintptr_t start)
{
    uintptr_t half = start + PAGES * page_size;
    uint32_t made = populate_pages(half);
    uint32_t touched = touch_pages(half, PAGES / GROUP);

    fault = touch_pages(start, GROUPS);
    fill = made == UINT32_MAX ? fault : made + touched;
    if (fill > fault)
        fill = fault;
    populate_pages(start);
    touch_pages(start, PAGES / GROUP);
    copy = NEAR_COPIES * copy_pages(half, start);
    copy_far = FAR_COPIES * copy;
    seal = (made == UINT32_MAX ? fault : made) + 2 * copy + touched;
    seal_huge = HUGE_COPIES * copy > seal / HUGE_PART ? HUGE_COPIES * copy : seal / HUGE_PART;
    read_back = fault / AROUND + touched;
    measure_drops(start);
}

static void measure(void)
{
    uint32_t one_call = call();
    uintptr_t start;

    read_back = one_call;
    if (map_temporary(2 * PAGES * page_size, &start) == 0) {
        measure_pages(start);
        map_end_temporary(start, 2 * PAGES * page_size);
    } else {
        guess(one_call);
    }
    map = MAP_CALLS * one_call;
    look = LOOK_CALLS * one_call;
    log_debug("costs in ns: fault %u, fill %u, copy %u (far %u), seal %u (huge %u), drop %u, read %u, mapping %u, its end %u, look %u",
              fault, fill, copy, copy_far, seal, seal_huge, drop, read_back, map, flush, look);
}

void costs_read(struct costs *costs)
{
    if (!fixed)
        pthread_once(&once, measure);
    *costs = (struct costs){fault, fill, copy, copy_far, seal, seal_huge, drop, read_back, map, flush, look};
}

/* A measurement counts as a quarter of the new mean. It is first cut to four times the old one, because it may include the opening of a
   store, or waiting. */
static void learn(_Atomic uint32_t *cost, uint64_t nanoseconds)
{
    uint64_t known = *cost;

    if (nanoseconds > 4 * known)
        nanoseconds = 4 * known;
    *cost = (uint32_t)((3 * known + nanoseconds) / 4) + 1;
}

void costs_note_seal(uint64_t nanoseconds, size_t pages, bool huge)
{
    if (!fixed && pages >= (huge ? ENOUGH_HUGE : COSTS_ENOUGH))
        learn(huge ? &seal_huge : &seal, nanoseconds / pages);
}

uint64_t costs_clock(void)
{
    return fixed ? 0 : usage_spent();
}

void costs_note_copy(uint64_t nanoseconds, size_t pages, size_t all)
{
    if (!fixed && pages >= COSTS_ENOUGH)
        learn(all >= COSTS_FAR ? &copy_far : &copy, nanoseconds / pages);
}

/* A look that takes longer than usual may have taken views away, which is priced elsewhere, or was interrupted. Therefore what exceeds the
   mean counts as a quarter of itself. */
void costs_note_look(uint64_t nanoseconds)
{
    if (!fixed)
        learn(&look, nanoseconds > look ? look + (nanoseconds - look) / 4 : nanoseconds);
}

void costs_set(const struct costs *costs)
{
    fault = costs->fault;
    fill = costs->fill;
    copy = costs->copy;
    copy_far = costs->copy_far;
    seal = costs->seal;
    seal_huge = costs->seal_huge;
    drop = costs->drop;
    read_back = costs->read;
    map = costs->map;
    flush = costs->flush;
    look = costs->look;
    fixed = true;
}
