/* SPDX-License-Identifier: MIT */
/* Seals, hints and figures that the program asks for. */
#include "engine/control.h"

#include <errno.h>

#include "base/page.h"
#include "engine/block/block.h"
#include "engine/engine.h"
#include "engine/policy/hint.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "engine/report/observe.h"
#include "engine/store/reclaim.h"
#include "engine/copy/snapshot.h"
#include "engine/store/store.h"
#include "kernel/descriptor.h"
#include "kernel/pagemap.h"
#include "kernel/vma_text.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

/* Bytes of [start, end) in the pages of [first, last). */
static uint64_t common(uintptr_t start, uintptr_t end, uintptr_t first, uintptr_t last)
{
    uintptr_t from = max_address(start, first);
    uintptr_t to = min_address(end, last);

    return from < to ? to - from : 0;
}

static enum reason seal_block(struct block *block, uintptr_t start, uintptr_t end, size_t *shown)
{
    enum reason why = REASON_excluded;

    if (block_has_our_stack(block))
        return why;
    lock_take(&block->lock);
    if (block_settled(block) && !block->barred) {
        why = snapshot_seal(block, start, end);
        for (const struct extent *view = extent_from(block, start); view != NULL && extent_start(view) < end; view = extent_after(view))
            *shown += common(start, end, extent_start(view), extent_end(view));
    }
    lock_drop(&block->lock);
    return why;
}

static enum reason seal_range(uintptr_t start, size_t size, size_t *shown)
{
    uintptr_t from = page_up(start);
    uintptr_t to = page_down(start + size);
    struct block *block;
    enum reason why;

    if (from >= to || to - from < 2 * page_size)
        return REASON_small;
    if (!descriptor_in_own_process())
        return REASON_foreign_process;
    if (!observe_substitutes())
        return REASON_no_store;
    if (engine_sharing_stopped())
        return REASON_excluded;
    block = block_find_range(start, size);
    if (block == NULL)
        return REASON_not_source;
    why = seal_block(block, from, to, shown);
    block_release(block);
    return why;
}

enum reason engine_seal(void *start, size_t size, size_t *shown)
{
    struct entry entry;
    enum reason why;

    *shown = 0;
    if (!entry_begin_quiet(&entry))
        return REASON_nested;
    why = seal_range((uintptr_t)start, size, shown);
    write_guard_rest();
    reclaim_event();
    entry_end(&entry);
    return why;
}

static void give_hint(struct block *block, enum engine_hint hint)
{
    lock_take(&block->lock);
    block->barred = hint != HINT_NONE && (hint == HINT_EXCLUDE || block->barred);
    hint_forget_all();
    block->rewritten = hint != HINT_NONE && (hint == HINT_REWRITE || block->rewritten);
    lock_drop(&block->lock);
    block_export_change(block);
}

int engine_hint(void *start, size_t size, enum engine_hint hint)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = at + size;
    struct entry entry;
    struct block *block;

    if (!entry_begin(&entry))
        return -EAGAIN;
    while (at < end && (block = block_find_from(at)) != NULL) {
        uintptr_t stop = block_start(block) < end ? block_end(block) : end;

        if (block_start(block) < end)
            give_hint(block, hint);
        block_release(block);
        at = max_address(stop, at + 1);
    }
    entry_end(&entry);
    return 0;
}

/* The private pages of a range of whole pages, as bytes of [start, end). */
static int count_private(uintptr_t start, uintptr_t end, uintptr_t at, uintptr_t stop, uint64_t *bytes)
{
    struct page_run runs[32];

    while (at < stop) {
        int count = pagemap_runs(PAGES_PRIVATE, at, stop, runs, 32, &at);

        if (count < 0)
            return -ENOSYS;
        for (int i = 0; i < count; i++)
            *bytes += common(start, end, runs[i].start, runs[i].end);
    }
    return 0;
}

static int residency(uintptr_t start, uintptr_t end, uint64_t *own, uint64_t *shown)
{
    uintptr_t at = page_down(start);
    struct vma_walk walk;

    vma_walk_begin(&walk);
    while (at < end) {
        struct vma vma;
        uint64_t bytes = 0;
        int error = vma_walk_at(&walk, at, &vma);
        uintptr_t stop;

        if (error != 0)
            return error == -ENOENT ? -EFAULT : -ENOSYS;
        stop = min_address(vma.end, page_up(end));
        error = count_private(start, end, at, stop, &bytes);
        if (error != 0)
            return error;
        *own += bytes;
        if (vma.inode != 0)
            *shown += common(start, end, at, stop) - bytes;
        at = stop;
    }
    return 0;
}

int engine_residency(const void *start, size_t size, uint64_t *own, uint64_t *shown)
{
    struct entry entry;
    int error;

    *own = 0;
    *shown = 0;
    if (!entry_begin_quiet(&entry))
        return -EAGAIN;
    engine_wake();
    error = descriptor_in_own_process() ? residency((uintptr_t)start, (uintptr_t)start + size, own, shown) : -EAGAIN;
    entry_end(&entry);
    return error;
}

int engine_figures(struct engine_figures *figures)
{
    struct entry entry;
    size_t stores;

    if (!entry_begin_quiet(&entry))
        return -EAGAIN;
    store_totals(&stores, &figures->store_bytes);
    figures->stores = stores;
    figures->blocks = block_count();
    figures->registered = block_count_registered();
    figures->views = extent_count();
    figures->plain_copies = 0;
    figures->plain_bytes = 0;
    for (int i = 0; i < REASONS; i++) {
        figures->plain_copies += reason_copies(i);
        figures->plain_bytes += reason_bytes(i);
    }
    entry_end(&entry);
    return 0;
}
