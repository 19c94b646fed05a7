/* SPDX-License-Identifier: MIT */
#include "command/trail/remains.h"

#include <stdlib.h>

struct remain_cell {
    uint64_t address;
    double weight;
    uint32_t made_by;
};

/* Of one block. */
struct remain {
    struct remain *next;
    uint64_t start, end;
    uint32_t count;
    struct remain_cell cells[];
};

static bool is_shared(const struct world_cell *cell)
{
    return cell->holder != NULL && cell->holder->version->stored;
}

void remains_add(struct world *world, const struct world_block *block, const struct trail_block *freed)
{
    const struct trail_begin *begin = world->trail->begin;
    struct remain *remain;

    if (begin->heap_start == 0 || freed->start < begin->heap_start || freed->start + freed->size > world->heap_end)
        return;
    remain = calloc(1, sizeof *remain + block->count * sizeof remain->cells[0]);
    if (remain == NULL) {
        world->failed = true;
        return;
    }
    remain->start = freed->start;
    remain->end = freed->start + freed->size;
    for (uint32_t i = 0; i < block->count; i++)
        if (is_shared(&block->cells[i])) {
            const struct world_cell *cell = &block->cells[i];
            uint64_t address = freed->start + (uint64_t)cell->page * begin->page_size;

            remain->cells[remain->count++] = (struct remain_cell){address, cell->holder->weight, cell->made_by};
            world->saving += cell->holder->weight;
        }
    remain->next = world->remains;
    world->remains = remain;
}

static void cut(struct world *world, struct remain *remain, uint64_t start, uint64_t end)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < remain->count; i++)
        if (remain->cells[i].address < start || remain->cells[i].address >= end)
            remain->cells[kept++] = remain->cells[i];
        else
            world->saving -= remain->cells[i].weight;
    remain->count = kept;
}

void remains_used(struct world *world, uint64_t start, uint64_t end)
{
    for (struct remain **link = &world->remains, *remain; (remain = *link) != NULL;) {
        if (remain->start < end && start < remain->end)
            cut(world, remain, start, end);
        if (remain->count == 0) {
            *link = remain->next;
            free(remain);
        } else {
            link = &remain->next;
        }
    }
}

void remains_use_added(struct world *world)
{
    if (world->unused != NULL)
        remains_used(world, world->unused->start, world->unused->start + world->unused->size);
    world->unused = NULL;
}

void remains_measured(struct world *world, uint64_t heap)
{
    if (heap < world->heap_end)
        remains_used(world, heap, UINT64_MAX);
    world->heap_end = heap;
}

void remains_attribute(const struct world *world)
{
    for (const struct remain *remain = world->remains; remain != NULL; remain = remain->next)
        for (uint32_t i = 0; i < remain->count; i++)
            if (remain->cells[i].made_by != NO_BLOCK)
                world->out->outcomes[remain->cells[i].made_by].saved += remain->cells[i].weight;
}

void remains_free(struct world *world)
{
    for (struct remain *remain = world->remains, *next; remain != NULL; remain = next) {
        next = remain->next;
        free(remain);
    }
    world->remains = NULL;
}
