/* SPDX-License-Identifier: MIT */
/* The list of blocks in the exported page. */
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/page.h"
#include "engine/report/export.h"
#include "kernel/usage.h"

#include "base/poison.h"

#define WORDS (EXPORT_SLOTS / 64)

/* Under the registry lock: */
static uint64_t taken[WORDS]; /* a bit a slot */
static unsigned first_free;   /* no word below has a free slot */
static unsigned ready;        /* slots whose memory is there: touching a page of a file that cannot be had would be a SIGBUS */

static struct export_block *slot_at(struct export_page *page, unsigned slot)
{
    return (struct export_block *)(void *)((char *)page + EXPORT_BLOCKS_OFFSET) + (slot - 1);
}

void export_list_begin(struct export_page *page)
{
    bytes_fill(taken, 0, sizeof taken);
    first_free = 0;
    ready = (unsigned)((page_up(EXPORT_BLOCKS_OFFSET) - EXPORT_BLOCKS_OFFSET) / sizeof(struct export_block));
    page->header.blocks_end = ready;
}

/* False: no memory for the slot. */
static bool make_ready(struct export_page *page, unsigned slot)
{
    size_t step = page_size / sizeof(struct export_block);

    if (slot <= ready)
        return true;
    if (export_extend(EXPORT_BLOCKS_OFFSET + ready * sizeof(struct export_block)) != 0)
        return false;
    ready += (unsigned)step;
    atomic_store_explicit(&page->header.blocks_end, ready < EXPORT_SLOTS ? ready : EXPORT_SLOTS, memory_order_relaxed);
    return true;
}

/* The lowest free slot; so that few pages are used. */
static unsigned find_free(void)
{
    while (first_free < WORDS && taken[first_free] == UINT64_MAX)
        first_free++;
    return first_free == WORDS ? 0 : first_free * 64 + (unsigned)__builtin_ctzll(~taken[first_free]) + 1;
}

unsigned export_add(uintptr_t start, size_t size, unsigned flags)
{
    struct export_page *page = export_page_now();
    unsigned slot = page == NULL ? 0 : find_free();
    struct export_block *block;

    if (page == NULL)
        return 0;
    if (slot == 0 || !make_ready(page, slot)) {
        atomic_fetch_add_explicit(&page->header.unlisted, 1, memory_order_relaxed);
        return 0;
    }
    taken[(slot - 1) / 64] |= UINT64_C(1) << ((slot - 1) % 64);
    block = slot_at(page, slot);
    atomic_store_explicit(&block->size, size, memory_order_relaxed);
    atomic_store_explicit(&block->flags, flags, memory_order_relaxed);
    atomic_store_explicit(&block->copied_from, 0, memory_order_relaxed);
    atomic_store_explicit(&block->address, start, memory_order_release);
    return slot;
}

void export_change(unsigned slot, size_t size, unsigned flags)
{
    struct export_page *page = export_page_now();

    if (slot == 0 || page == NULL)
        return;
    atomic_store_explicit(&slot_at(page, slot)->size, size, memory_order_relaxed);
    atomic_store_explicit(&slot_at(page, slot)->flags, flags, memory_order_relaxed);
}

void export_copied(unsigned slot, uintptr_t from, const void *caller)
{
    struct export_page *page = export_page_now();
    struct export_block *block;

    if (slot == 0 || page == NULL)
        return;
    block = slot_at(page, slot);
    atomic_store_explicit(&block->copied_by, (uintptr_t)caller, memory_order_relaxed);
    atomic_store_explicit(&block->copied_at, usage_now(), memory_order_relaxed);
    atomic_store_explicit(&block->copied_from, from, memory_order_relaxed);
}

void export_remove(unsigned slot)
{
    struct export_page *page = export_page_now();

    if (page == NULL)
        return;
    if (slot == 0) {
        atomic_fetch_sub_explicit(&page->header.unlisted, 1, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(&slot_at(page, slot)->address, 0, memory_order_relaxed);
    taken[(slot - 1) / 64] &= ~(UINT64_C(1) << ((slot - 1) % 64));
    if ((slot - 1) / 64 < first_free)
        first_free = (slot - 1) / 64;
}
