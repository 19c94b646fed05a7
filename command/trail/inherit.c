/* SPDX-License-Identifier: MIT */
#include "command/trail/inherit.h"

#include <stddef.h>

#include "command/trail/cells.h"

/* Copies of copies, as far as they are followed. */
#define GENERATIONS 8

/* A page, and the one that it was copied from. */
struct descent {
    struct world_block *parent;
    uint32_t parent_page;
};

/* The page from which a copy took this one; false where it did not take it, or its source is gone. */
static bool find_parent(const struct world *world, uint32_t made_by, uint32_t page, struct descent *descent)
{
    const struct step *step = &world->trail->steps[made_by];
    const struct trail_copy *copy = (const void *)step->event;

    if (step->source == NO_BLOCK || page < step->page || page - step->page >= copy->size / world->trail->begin->page_size)
        return false;
    descent->parent = world->blocks[step->source];
    descent->parent_page = page - step->page + step->source_page;
    return descent->parent != NULL;
}

/* Whether the cell holds what its original does, and the page beside it comes from the same copy. */
static bool tells(const struct world *world, const struct world_cell *cell, uint32_t page, struct descent *descent)
{
    struct descent own;
    uint32_t index;

    if (cell->made_by == NO_BLOCK || cell->holder == NULL || !find_parent(world, cell->made_by, cell->page, &own) ||
        !find_parent(world, cell->made_by, page, descent))
        return false;
    index = cell_index(own.parent, own.parent_page);
    return cell_is(own.parent, index, own.parent_page) && own.parent->cells[index].holder != NULL &&
           own.parent->cells[index].holder->version == cell->holder->version;
}

static void inherit_from(struct world *world, struct world_block *block, uint32_t page, uint32_t hash, unsigned generation)
{
    uint32_t index = cell_index(block, page), there;
    struct descent descent;
    struct world_cell *cell, *original;

    if (generation == GENERATIONS || cell_is(block, index, page))
        return;
    /* Between two pages of one copy both have to say so. */
    if (index > 0 && index < block->count && block->cells[index - 1].made_by == block->cells[index].made_by &&
        !tells(world, &block->cells[index], page, &descent))
        return;
    if (!(index > 0 && tells(world, &block->cells[index - 1], page, &descent)) &&
        !(index < block->count && tells(world, &block->cells[index], page, &descent)))
        return;
    if (descent.parent == block)
        return;
    inherit_from(world, descent.parent, descent.parent_page, hash, generation + 1);
    there = cell_index(descent.parent, descent.parent_page);
    if (!cell_is(descent.parent, there, descent.parent_page)) {
        original = cell_at(world, descent.parent, descent.parent_page);
        if (original == NULL)
            return;
        original->hash = hash;
        original->unwatched = true;
        version_begin(world, original, 0); /* the page is one of those that its neighbours stand for */
    }
    original = &descent.parent->cells[there];
    if (world->failed || original->holder == NULL || original->hash != hash)
        return;
    cell = cell_at(world, block, page);
    if (cell == NULL)
        return;
    cell->hash = hash;
    original->holder->version->stored = true;
    version_add_holder(world, cell, original->holder->version, 0);
}

void inherit(struct world *world, struct world_block *block, uint32_t page, uint32_t hash)
{
    inherit_from(world, block, page, hash, 0);
}
