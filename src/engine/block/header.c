/* SPDX-License-Identifier: MIT */
#include "engine/block/header.h"

#include "base/next.h"
#include "base/page.h"
#include "kernel/map.h"

#include "base/poison.h"

/* Blocks of at least this size keep the page in front of them: it is a thousandth of the block or less. */
#define WORTH ((size_t)4 << 20)

/* A chunk of glibc's begins with two words: the size of the chunk before it, and its own size with three flags in the lowest bits. */
#define CHUNK_WORDS 2
#define CHUNK_MAPPED ((uintptr_t)2) /* the one flag that is set in a chunk that glibc mapped for this request alone */

static uintptr_t *page_of(const struct block *block)
{
    return (uintptr_t *)(block_start(block) - page_size);
}

static bool is_zero(const uintptr_t *from, const uintptr_t *to)
{
    uintptr_t any = 0;

    while (from < to)
        any |= *from++;
    return any == 0;
}

/* Whether the page holds the header of a mapped chunk that reaches over the block, and nothing else. */
static bool is_header(const struct block *block)
{
    const uintptr_t *page = page_of(block);
    uintptr_t size = page[1] - CHUNK_MAPPED;

    return page_aligned(size) && size >= page_size + block->size && page[0] == 0 &&
           is_zero(page + CHUNK_WORDS, page + page_size / sizeof *page);
}

void header_drop(struct block *block)
{
    if (block->kind != BLOCK_MALLOC || block->header != HEADER_UNKNOWN || block->size >= WORTH || !next_is_glibc() ||
        !page_aligned(block_start(block)) || block->raw != page_of(block) + CHUNK_WORDS)
        return;
    block->header = HEADER_STAYS;
    if (!is_header(block))
        return;
    block->header_word = page_of(block)[1];
    if (map_discard((uintptr_t)page_of(block), page_size) == 0)
        block->header = HEADER_DROPPED;
}

void header_restore(struct block *block)
{
    if (block->header == HEADER_DROPPED)
        page_of(block)[1] = block->header_word;
    block->header = HEADER_STAYS;
}

bool header_says_mapped(const struct block *block)
{
    const uintptr_t *raw = block->raw;

    if (raw == NULL || (uintptr_t)raw % page_size != CHUNK_WORDS * sizeof *raw || !next_is_glibc())
        return false;
    return ((block->header == HEADER_DROPPED ? block->header_word : raw[-1]) & CHUNK_MAPPED) != 0;
}
