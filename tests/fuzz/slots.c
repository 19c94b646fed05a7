/* SPDX-License-Identifier: MIT */
#include "slots.h"

#include <stdarg.h>
#include <stdio.h>

#include "../model/oracle.h"
#include "base/page.h"
#include "engine/engine.h"

struct slot slots[SLOTS];
unsigned operations;
int depth;

static const uint8_t *input, *input_end;

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fprintf(stderr, "fuzz: operation %u, process %d: ", operations, depth);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    _exit(1);
}

void input_set(const uint8_t *data, size_t size)
{
    input = data;
    input_end = data + size;
}

bool input_left(void)
{
    return input < input_end;
}

unsigned take(void)
{
    return input < input_end ? *input++ : 0;
}

size_t take_part(size_t limit)
{
    return limit <= 256 ? take() % limit : take() * limit / 256;
}

/* Bytes by which a range misses the page. */
static size_t take_odd(void)
{
    static const size_t odd[] = {0, 0, 0, 0, 1, 8, 100, 4095};

    return odd[take() % 8];
}

struct slot *take_slot(void)
{
    return &slots[take() % SLOTS];
}

struct range take_pages(const struct slot *slot)
{
    size_t pages = slot->size / page_size;
    size_t start = take_part(pages);

    return (struct range){start * page_size, (1 + take_part(pages - start)) * page_size};
}

struct range take_range(const struct slot *slot)
{
    struct range range = take_pages(slot);
    size_t odd = take_odd();

    range.start += odd;
    range.size = range.size > odd ? range.size - odd : 1;
    odd = take_odd();
    if (range.size > odd)
        range.size -= odd;
    return range;
}

void slot_compare(const struct slot *slot, size_t start, size_t size, const char *what)
{
    size_t at = start + oracle_differ(slot->block + start, slot->picture + start, size);

    if (at < start + size)
        fail("%s: block %td of %zu bytes is %02x at byte %zu (page %zu), must be %02x", what, slot - slots, slot->size, slot->block[at], at,
             at / page_size, slot->picture[at]);
}

void slots_compare(const char *what)
{
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].block != NULL)
            slot_compare(&slots[i], 0, slots[i].size, what);
}

void slot_learn(struct slot *slot, size_t start, size_t end)
{
    if (start < end)
        oracle_move(slot->picture + start, slot->block + start, end - start);
}

void slot_write(struct slot *slot, struct range range, size_t step, unsigned seed)
{
    for (size_t at = range.start; at < range.start + range.size; at += step) {
        slot->picture[at] = (unsigned char)(seed * 31 + at / 64 * 7 + (at >> 16) + 1);
        *(volatile unsigned char *)(slot->block + at) = slot->picture[at];
    }
}

unsigned char *slot_map(size_t size)
{
    size_t slack = size < HUGE_SIZE ? 0 : HUGE_SIZE;
    unsigned char *raw = oracle_map(size + slack);

    if (raw == NULL)
        fail("no memory");
    return slack == 0 ? raw : (unsigned char *)align_up((uintptr_t)raw, slack);
}

void slot_remove(struct slot *slot)
{
    void *raw = NULL;

    slot_compare(slot, 0, slot->size, "before it is given back");
    if (engine_remove(slot->block, &raw) && raw == NULL)
        slot->room = 0; /* lost: never to be reused */
    else if (raw != NULL && raw != slot->block)
        fail("engine_remove gave back %p for %p", raw, (void *)slot->block);
    slot->size = 0;
}

void slot_add(struct slot *slot)
{
    size_t pages = take() % 16 == 15 ? 512 + take() * 4 : 3 + take() % 62;
    size_t size = pages * page_size - take_odd();

    if (slot->size != 0)
        slot_remove(slot);
    if (slot->room < size) {
        slot->room = pages * page_size;
        slot->block = slot_map(slot->room);
        slot->picture = slot_map(slot->room);
    }
    slot->size = size;
    engine_add(slot->block, size, slot->block); /* false: it is no block, and is copied plainly */
    slot_learn(slot, 0, size);
    switch (take() % 4) {
    case 0:
        break;
    case 1:
        slot_write(slot, (struct range){0, size}, 64, take());
        break;
    case 2:
        slot_write(slot, (struct range){0, size}, 2 * page_size, take());
        break;
    default:
        slot_write(slot, take_pages(slot), 512, take());
        break;
    }
}

struct slot *take_block(void)
{
    struct slot *slot = take_slot();

    if (slot->size == 0)
        slot_add(slot);
    return slot;
}
