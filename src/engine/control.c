/* SPDX-License-Identifier: MIT */
/* Seals and hints that the program asks for. */
#include "engine/control.h"

#include <errno.h>

#include "base/page.h"
#include "engine/block/block.h"
#include "engine/engine.h"
#include "engine/policy/hint.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "engine/report/observe.h"
#include "engine/copy/seal.h"
#include "kernel/descriptor.h"

#include "base/poison.h"

static enum reason seal_block(struct block *block, uintptr_t start, uintptr_t end, size_t *shown)
{
    enum reason why = REASON_excluded;

    if (block_has_our_stack(block))
        return why;
    lock_take(&block->lock);
    if (block_settled(block) && !block->barred) {
        why = seal_range(block, start, end);
        for (const struct extent *view = extent_from(block, start); view != NULL && extent_start(view) < end; view = extent_after(view))
            *shown += common_bytes(start, end, extent_start(view), extent_end(view));
    }
    lock_drop(&block->lock);
    return why;
}

static enum reason seal_found(uintptr_t start, size_t size, size_t *shown)
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
    why = seal_found((uintptr_t)start, size, shown);
    entry_conclude(&entry);
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
