/* SPDX-License-Identifier: MIT */
#include "command/trail/cells.h"

#include <stdlib.h>
#include <string.h>

void version_add_holder(struct world *world, struct world_cell *cell, struct version *version, double weight)
{
    struct holder *holder = calloc(1, sizeof *holder);

    if (holder == NULL) {
        world->failed = true;
        return;
    }
    *holder = (struct holder){.version = version, .earlier = version->last, .weight = weight};
    if (version->last != NULL) {
        version->last->later = holder;
        world->saving += weight;
    } else {
        version->first = holder;
    }
    version->last = holder;
    cell->holder = holder;
}

void version_drop_holder(struct world *world, struct world_cell *cell)
{
    struct holder *holder = cell->holder;
    struct version *version = holder == NULL ? NULL : holder->version;

    cell->holder = NULL;
    if (holder == NULL)
        return;
    if (holder->later != NULL)
        holder->later->earlier = holder->earlier;
    else
        version->last = holder->earlier;
    if (holder->earlier != NULL) {
        holder->earlier->later = holder->later;
        world->saving -= holder->weight;
    } else {
        version->first = holder->later;
        world->saving -= holder->later != NULL ? holder->later->weight : 0;
    }
    if (version->first == NULL)
        free(version);
    free(holder);
}

void version_begin(struct world *world, struct world_cell *cell, double weight)
{
    struct version *version = calloc(1, sizeof *version);

    version_drop_holder(world, cell);
    if (version == NULL) {
        world->failed = true;
        return;
    }
    version_add_holder(world, cell, version, weight);
    if (cell->holder == NULL)
        free(version);
}

uint32_t cell_index(const struct world_block *block, uint32_t page)
{
    uint32_t low = 0, high = block->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (block->cells[middle].page < page)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool cell_is(const struct world_block *block, uint32_t index, uint32_t page)
{
    return index < block->count && block->cells[index].page == page;
}

struct world_cell *cell_at(struct world *world, struct world_block *block, uint32_t page)
{
    uint32_t index = cell_index(block, page);
    struct world_cell *cells;

    if (cell_is(block, index, page)) {
        block->cells[index].unwatched = false;
        return &block->cells[index];
    }
    cells = realloc(block->cells, (block->count + 1) * sizeof *cells);
    if (cells == NULL) {
        world->failed = true;
        return NULL;
    }
    block->cells = cells;
    memmove(cells + index + 1, cells + index, (block->count - index) * sizeof *cells);
    block->count++;
    cells[index] = (struct world_cell){.page = page, .made_by = NO_BLOCK};
    return &cells[index];
}
