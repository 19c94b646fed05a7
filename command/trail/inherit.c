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

/* The page that this one was copied from, as the cells beside it tell. Where both come from one copy, both have to. */
static bool neighbours_tell(const struct world *world, const struct world_block *block, uint32_t page, struct descent *descent)
{
    uint32_t index = cell_index(block, page);
    const struct world_cell *before = index > 0 ? &block->cells[index - 1] : NULL;
    const struct world_cell *behind = index < block->count ? &block->cells[index] : NULL;
    bool one_copy = before != NULL && behind != NULL && before->made_by == behind->made_by;

    if (one_copy)
        return tells(world, before, page, descent) && tells(world, behind, page, descent);
    return (before != NULL && tells(world, before, page, descent)) || (behind != NULL && tells(world, behind, page, descent));
}

/* A cell for a page that had none, and in it a content that nobody else holds. It weighs nothing, as the cells beside it stand for it. */
static void watch(struct world *world, struct world_block *block, uint32_t page, uint32_t hash)
{
    struct world_cell *cell = cell_at(world, block, page);

    if (cell == NULL)
        return;
    cell->hash = hash;
    cell->unwatched = true;
    version_begin(world, cell, 0);
}

/* A cell for the page of a copy, which holds what the cell of its original does. */
static void hold_too(struct world *world, struct world_block *block, uint32_t page, const struct world_cell *original)
{
    struct version *version = original->holder->version;
    struct world_cell *cell = cell_at(world, block, page);

    if (cell == NULL)
        return;
    cell->hash = original->hash;
    version->stored = true;
    version_add_holder(world, cell, version, 0);
}

static void inherit_from(struct world *world, struct world_block *block, uint32_t page, uint32_t hash, unsigned generation)
{
    const struct world_cell *original;
    struct descent descent;
    uint32_t there;

    if (generation == GENERATIONS || cell_is(block, cell_index(block, page), page) || !neighbours_tell(world, block, page, &descent) ||
        descent.parent == block)
        return;
    inherit_from(world, descent.parent, descent.parent_page, hash, generation + 1);
    there = cell_index(descent.parent, descent.parent_page);
    if (!cell_is(descent.parent, there, descent.parent_page))
        watch(world, descent.parent, descent.parent_page, hash);
    if (world->failed)
        return;
    original = &descent.parent->cells[there];
    if (original->holder != NULL && original->hash == hash)
        hold_too(world, block, page, original);
}

void inherit(struct world *world, struct world_block *block, uint32_t page, uint32_t hash)
{
    inherit_from(world, block, page, hash, 0);
}
