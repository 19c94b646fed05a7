/* SPDX-License-Identifier: MIT */
#include "engine/policy/remains.h"

#include "base/lock.h"
#include "base/page.h"
#include "engine/block/header.h"

#include "base/poison.h"

#define REMAINS 64

struct remains {
    uintptr_t start;
    size_t size;
    struct trace trace;
};

static struct lock lock = LOCK_INITIALIZER(LOCK_STORES);
static struct remains table[REMAINS];

static struct remains *remains_at(uintptr_t start)
{
    return &table[(start / page_size * UINT64_C(0x9e3779b97f4a7c15) >> 40) % REMAINS];
}

void remains_leave(const struct block *block)
{
    struct remains *remains = remains_at(block_start(block));
    bool stays = block->made.pages != 0 && block->kind == BLOCK_MALLOC && !header_says_mapped(block);

    lock_take(&lock);
    if (stays) {
        remains->start = block_start(block);
        remains->size = block->size;
        remains->trace = block->made;
        remains->trace.open = false;
    } else if (remains->start == block_start(block)) {
        remains->start = 0;
    }
    lock_drop(&lock);
}

void remains_enter(struct block *block)
{
    struct remains *remains = remains_at(block_start(block));

    lock_take(&lock);
    if (remains->start == block_start(block) && remains->size == block->size)
        block->made = remains->trace;
    lock_drop(&lock);
}
