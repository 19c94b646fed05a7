/* SPDX-License-Identifier: MIT */
/* Blocks come, go, and change their size. */
#include <malloc.h>
#include <stdlib.h>

#include "operation.h"
#include "oracle.h"
#include "slot.h"

/* Blocks of all sizes around the unit; some beyond, some below, odd ones. */
static size_t pick_size(uint64_t x, uint64_t y)
{
    size_t unit = limits.unit;
    size_t size;

    switch (x % 16) {
    case 0:
        size = 1 + y % unit;
        break;
    case 1:
    case 2:
        size = unit + y % (128 * unit);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        size = unit + y % (32 * unit);
        break;
    case 7:
        size = unit + y % limits.largest;
        break;
    default:
        size = unit + y % (8 * unit);
        break;
    }
    if ((x >> 8) % 2 == 0)
        size = (size + PAGE - 1) & ~(PAGE - 1);
    return size > limits.largest ? unit + size % (limits.largest - unit) : size;
}

void run_free(struct slot *slot)
{
    free(slot->block);
    slot->block = NULL;
    slot->size = 0;
}

static bool is_calloc(unsigned how)
{
    return how % 11 >= 2 && how % 11 <= 4;
}

/* *alignment comes as a wish and becomes what the call promises. */
static void *allocate(const struct op *op, size_t size, size_t *alignment)
{
    size_t wanted = *alignment;
    void *got = NULL;

    *alignment = 16;
    if (is_calloc(op->how))
        return calloc(1 + op->z % 3, (size + op->z % 3) / (1 + op->z % 3));
    switch (op->how % 11) {
    case 0:
    case 1:
        return malloc(size);
    case 5:
        *alignment = wanted;
        return posix_memalign(&got, wanted, size) == 0 ? got : NULL;
    case 6:
        *alignment = wanted;
        return aligned_alloc(wanted, (size + wanted - 1) & ~(wanted - 1));
    case 7:
        *alignment = wanted;
        return memalign(wanted, size);
    case 8:
        *alignment = PAGE;
        return valloc(size);
    case 9:
        *alignment = PAGE;
        return pvalloc(size);
    default:
        return op->z % 2 ? realloc(NULL, size) : reallocarray(NULL, 1, size);
    }
}

void run_alloc(struct world *world, struct slot *slot, const struct op *op)
{
    size_t size = pick_size(op->x, op->y);
    size_t alignment = (size_t)16 << op->z % 12;
    void *got;

    if (slot->block != NULL) {
        slot_check(world, slot, op->seed, "before free");
        run_free(slot);
    }
    got = allocate(op, size, &alignment);
    if (got == NULL)
        fail(world, "allocation %u of %zu bytes failed", op->how % 11, size);
    /* Smaller ones are the allocator's own; mimalloc 2.0.9 aligns aligned_alloc(512, 512) to 128 (its issue 700). */
    if (size >= limits.unit && ((uintptr_t)got & (alignment - 1)) != 0)
        fail(world, "allocation %u of %zu bytes: %p is not aligned to %zu", op->how % 11, size, got, alignment);
    slot_room(world, slot, size);
    slot->block = got;
    slot->size = size;
    if (is_calloc(op->how)) {
        oracle_fill(slot->picture, 0, size);
        slot_check(world, slot, op->seed >> 8, "calloc");
    } else if (op->seed % 2 == 0) {
        slot_write(slot, 0, size, op->seed);
    } else {
        slot_take_over(slot, 0, size);
    }
}

void run_realloc(struct world *world, struct slot *slot, const struct op *op)
{
    size_t size = pick_size(op->x, op->y);
    size_t old = slot->size;
    unsigned char *got;

    if (op->z % 4 == 0) /* often a little more or less */
        size = old + op->y % (2 * PAGE) > PAGE ? old + op->y % (2 * PAGE) - PAGE : 1;
    if (op->z % 4 == 1)
        size = 1 + op->y % old;
    slot_room(world, slot, size > old ? size : old);
    got = op->how % 2 ? realloc(slot->block, size) : reallocarray(slot->block, size, 1);
    if (got == NULL)
        fail(world, "realloc of %zu to %zu bytes failed", old, size);
    slot->block = got;
    slot->size = old < size ? old : size;
    slot_check(world, slot, op->seed, "after realloc");
    slot->size = size;
    slot_take_over(slot, old, size);
    if (size > old && op->seed % 3 == 0)
        slot_write(slot, old, size - old, op->seed);
}

void run_usable(struct world *world, struct slot *slot)
{
    size_t usable = malloc_usable_size(slot->block);
    size_t old = slot->size;

    if (usable < slot->size)
        fail(world, "malloc_usable_size says %zu for %zu bytes", usable, slot->size);
    slot_room(world, slot, usable);
    slot->size = usable;
    slot_take_over(slot, old, usable);
    slot_write(slot, old, usable - old, usable);
}
