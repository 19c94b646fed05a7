/* SPDX-License-Identifier: MIT */
/* How memory becomes a foreign block and ceases to be one: registered by the program, or mapped by it. */
#include <errno.h>

#include "base/page.h"
#include "engine/control.h"
#include "engine/memory/drop.h"
#include "engine/memory/look.h"
#include "engine/engine.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "engine/block/foreign.h"
#include "engine/copy/verify.h"
#include "kernel/vma_text.h"

#include "base/poison.h"

static bool holds_our_stack(uintptr_t start, uintptr_t end)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    return here >= start && here < end;
}

static int judge(const struct vma *vma, unsigned marks)
{
    if (vma->shared || (marks & (VMA_SPECIAL | VMA_KEPT)) != 0)
        return -EOPNOTSUPP;
    if (!vma->readable || !vma->writable)
        return -EACCES;
    return (marks & (VMA_LOCKED | VMA_STACK)) != 0 ? -EBUSY : 0;
}

/* Whether all of the range may become a block; *of_file: whether pages of a file are mapped in it. */
static int inspect(uintptr_t start, uintptr_t end, bool *of_file)
{
    struct vma_text text;
    struct vma vma;
    unsigned marks;
    int error = vma_text_begin(&text, true);

    if (error != 0)
        return -ENOSYS;
    *of_file = false;
    while (error == 0 && start < end) {
        error = vma_text_next(&text, &vma, &marks);
        if (error == -ENOENT || (error == 0 && vma.start > start)) {
            error = -EFAULT;
        } else if (error == 0 && vma.end > start) {
            error = judge(&vma, marks);
            *of_file = *of_file || vma.inode != 0;
            start = vma.end;
        }
    }
    vma_text_end(&text);
    return error;
}

/* Cuts a registered block out of the range if the memory there was unmapped or mapped anew behind our back. 0, -EEXIST or -ENOMEM. */
static int evict(struct block *block, uintptr_t start, uintptr_t end)
{
    uintptr_t from = max_address(page_up(block_start(block)), page_down(start));
    uintptr_t to = min_address(page_down(block_end(block)), page_up(end));
    int error = -EEXIST;

    lock_take(&block->lock);
    if (block->live && from < to && verify_range(block, from, to) == -ESTALE) {
        foreign_cut(block, from, to);
        error = block->live && block_reaches(block, start, end) ? -ENOMEM : 0;
    }
    lock_drop(&block->lock);
    return error;
}

/* Returns 0 if no block is in the range, 1 if it lies in a block that is shared without being registered, or -errno. */
static int look_for_others(uintptr_t start, uintptr_t end)
{
    int found = 0;

    while (found == 0) {
        struct block *block = block_find_from(start);

        if (block == NULL)
            return 0;
        if (!block_reaches(block, start, end)) {
            block_release(block);
            return 0;
        }
        if (block->kind == BLOCK_REGISTERED)
            found = evict(block, start, end);
        else
            found = block_contains(block, start, end - start) ? 1 : -EEXIST;
        block_release(block);
    }
    return found;
}

/* Pages of a file, private or not yet, become anonymous memory with the same contents: a block's holes are zero. */
static int take_from_files(struct block *block, uintptr_t start, uintptr_t end)
{
    struct look look = {NULL};
    struct vma_walk walk;
    int error = 0;

    vma_walk_begin(&walk);
    while (error == 0 && start < end) {
        struct vma vma;
        uintptr_t stop;

        error = vma_walk_at(&walk, start, &vma);
        stop = error == 0 ? min_address(vma.end, end) : end;
        if (error == 0 && vma.inode != 0) {
            if (look_around_for_files(&look) != REASON_none)
                return -EBUSY;
            error = drop_to_anonymous(block, look.guard, start, stop);
        }
        start = stop;
    }
    return error;
}

static int add_registered(uintptr_t start, size_t size, bool of_file)
{
    int error = block_add_foreign(start, size, BLOCK_REGISTERED);
    struct block *block = error == 0 && of_file ? block_find_start(start) : NULL;

    if (block == NULL)
        return error;
    lock_take(&block->lock);
    if (block->live)
        error = take_from_files(block, page_up(start), page_down(start + size));
    if (error != 0)
        foreign_cut(block, page_down(start), page_up(start + size));
    lock_drop(&block->lock);
    block_release(block);
    return error == 0 || error == -ENOMEM ? error : -EBUSY;
}

static int register_range(uintptr_t start, size_t size)
{
    bool of_file;
    int others;
    int error;

    if (page_up(start) >= page_down(start + size))
        return -EINVAL;
    if (!descriptor_in_own_process())
        return -EAGAIN;
    engine_wake();
    if (holds_our_stack(start, start + size))
        return -EBUSY;
    others = look_for_others(start, start + size);
    if (others != 0)
        return others < 0 ? others : 0;
    error = inspect(page_up(start), page_down(start + size), &of_file);
    return error != 0 ? error : add_registered(start, size, of_file);
}

int engine_register(void *start, size_t size)
{
    struct entry entry;
    int error;

    if (!entry_begin_quiet(&entry))
        return -EAGAIN;
    error = register_range((uintptr_t)start, size);
    entry_conclude(&entry);
    return error;
}

/* Ends the registration. The memory keeps its contents and shows no store any more. */
static int unregister(struct block *block)
{
    uintptr_t start = page_down(block_start(block));
    uintptr_t end = page_up(block_end(block));
    int error;

    lock_take(&block->lock);
    error = foreign_unshare(block, start, end);
    if (error == 0 && extent_any(block, start, end)) /* pages that stay where they are: forgotten, they would come back when discarded */
        error = -EBUSY;
    if (error == 0)
        foreign_cut(block, start, end);
    lock_drop(&block->lock);
    return error == 0 ? 0 : -ENOMEM;
}

/* Returns -ENOENT when no block was in the range. */
static int unregister_range(uintptr_t start, uintptr_t end)
{
    int result = -ENOENT;
    uintptr_t at = start;
    struct block *block;

    while (at < end && (block = block_find_from(at)) != NULL) {
        uintptr_t stop = block_end(block);
        int error = 0;

        if (!block_reaches(block, start, end)) {
            stop = end;
        } else if (block->kind != BLOCK_REGISTERED) {
            result = 0;
        } else {
            error = block_start(block) < start || stop > end ? -EINVAL : unregister(block);
            result = error;
        }
        block_release(block);
        if (error != 0)
            return error;
        at = max_address(stop, at + 1);
    }
    return result;
}

int engine_unregister(void *start, size_t size)
{
    struct entry entry;
    int error;

    if (!entry_begin_quiet(&entry))
        return -EAGAIN;
    error = descriptor_in_own_process() ? unregister_range((uintptr_t)start, (uintptr_t)start + size) : -EAGAIN;
    entry_conclude(&entry);
    return error;
}

/* The kernel has just given this memory to the program, so that foreign blocks which we believe to be there no longer exist. */
static void clear_way(uintptr_t start, uintptr_t end)
{
    struct block *block;

    while ((block = block_find_from(start)) != NULL) {
        bool cut = block_foreign(block) && block_reaches(block, start, end);

        if (cut) {
            lock_take(&block->lock);
            foreign_cut(block, start, end);
            cut = !block->live || !block_reaches(block, start, end);
            lock_drop(&block->lock);
        }
        block_release(block);
        if (!cut)
            return;
    }
}

void engine_add_mapping(void *start, size_t size)
{
    struct entry entry;

    if (!entry_begin_quiet(&entry))
        return;
    if (descriptor_in_own_process()) {
        engine_wake();
        clear_way((uintptr_t)start, page_up((uintptr_t)start + size));
        block_add_foreign((uintptr_t)start, page_up(size), BLOCK_ANON);
    }
    entry_end(&entry);
}

static enum engine_place make_movable(struct block *block, uintptr_t start, uintptr_t end)
{
    enum engine_place place = PLACE_OTHER;

    lock_take(&block->lock);
    if (block->live && block_foreign(block)) {
        bool whole = block_contains(block, start, end - start) && verify_range(block, start, end) == 0;
        bool views = extent_any(block, start, end);

        if (views && foreign_unshare(block, start, end) != 0)
            place = PLACE_STUCK;
        else if (whole)
            place = views ? PLACE_PIECES : PLACE_MAPPING;
    }
    lock_drop(&block->lock);
    return place;
}

/* A range that can be moved lies in one mapping, so that the last block which it reaches decides. */
enum engine_place engine_before_move(void *start, size_t size)
{
    uintptr_t at = (uintptr_t)start;
    uintptr_t end = page_up(at + size);
    enum engine_place place = PLACE_OTHER;
    struct entry entry;
    struct block *block;

    if (block_count() == 0 || !entry_begin_quiet(&entry))
        return place;
    while (place != PLACE_STUCK && at < end && (block = block_find_from(at)) != NULL) {
        uintptr_t stop = block_end(block);

        if (block_start(block) < end)
            place = make_movable(block, (uintptr_t)start, end);
        block_release(block);
        at = max_address(stop, at + 1);
    }
    entry_conclude(&entry);
    return place;
}
