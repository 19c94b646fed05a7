/* SPDX-License-Identifier: MIT */
#include "profile/block.h"

#include <string.h>

#include "profile/heap.h"

static struct tree blocks;

static struct watched *of(struct tree_node *node)
{
    return node == NULL ? NULL : tree_entry(node, struct watched, node);
}

void watched_restore(struct watched *block, uintptr_t start, size_t size)
{
    block->node.key = start;
    block->size = size;
    tree_insert(&blocks, &block->node);
}

struct watched *watched_add(uintptr_t start, size_t size)
{
    struct watched *block = heap_take(sizeof *block);

    if (block != NULL)
        watched_restore(block, start, size);
    return block;
}

struct watched *watched_at(uintptr_t start)
{
    struct watched *block = of(tree_at_or_below(&blocks, start));

    return block != NULL && block->node.key == start ? block : NULL;
}

struct watched *watched_around(uintptr_t address, size_t size)
{
    struct watched *block = of(tree_at_or_below(&blocks, address));

    return block != NULL && address - block->node.key < block->size && size <= block->size - (address - block->node.key) ? block : NULL;
}

struct watched *watched_from(uintptr_t address)
{
    return of(tree_at_or_above(&blocks, address));
}

struct watched *watched_after(const struct watched *block)
{
    return of(tree_next(&block->node));
}

void watched_remove(struct watched *block)
{
    tree_remove(&blocks, &block->node);
}

static void set_samples(struct watched *block, const struct trail_sample *samples, uint32_t count)
{
    if (count > block->room) {
        uint32_t room = 16;
        struct trail_sample *larger;

        while (room < count)
            room *= 2;
        larger = heap_take(room * sizeof *larger);
        if (larger == NULL)
            return;
        heap_give(block->samples, block->room * sizeof *larger);
        block->samples = larger;
        block->room = room;
    }
    memcpy(block->samples, samples, count * sizeof *samples);
    block->count = count;
}

void watched_free(struct watched *block)
{
    if (block == NULL)
        return;
    heap_give(block->samples, block->room * sizeof *block->samples);
    heap_give(block, sizeof *block);
}

/* One lock, one merge at a time. */
static struct trail_sample merged[SAMPLES_MOST + SAMPLES_OF_COPY];
static uint32_t merged_count;

static void put(struct trail_sample sample)
{
    if (merged_count < SAMPLES_MOST + SAMPLES_OF_COPY)
        merged[merged_count++] = sample;
}

/* Too many: of each three two stay, so that this is rare. What stays is spread as all was. True: some were left out. */
static bool thin_out(void)
{
    uint32_t kept = 0;

    if (merged_count <= SAMPLES_MOST)
        return false;
    for (uint32_t i = 0; i < merged_count; i++)
        if (i % 3 != 2)
            merged[kept++] = merged[i];
    merged_count = kept;
    return true;
}

static bool set_merged(struct watched *block)
{
    bool thinned = thin_out();

    set_samples(block, merged, merged_count);
    return thinned;
}

bool watched_replace(struct watched *block, uint32_t first, uint32_t end, const struct trail_sample *samples, uint32_t count)
{
    uint32_t i = 0;

    merged_count = 0;
    for (; i < block->count && block->samples[i].page < first; i++)
        put(block->samples[i]);
    for (uint32_t k = 0; k < count; k++)
        put(samples[k]);
    for (; i < block->count; i++)
        if (block->samples[i].page >= end)
            put(block->samples[i]);
    return set_merged(block);
}

bool watched_merge(struct watched *block, const struct trail_sample *samples, uint32_t count)
{
    uint32_t i = 0;

    merged_count = 0;
    for (uint32_t k = 0; k < count; k++) {
        for (; i < block->count && block->samples[i].page < samples[k].page; i++)
            put(block->samples[i]);
        i += i < block->count && block->samples[i].page == samples[k].page;
        put(samples[k]);
    }
    for (; i < block->count; i++)
        put(block->samples[i]);
    return set_merged(block);
}
