/* SPDX-License-Identifier: MIT */
#include "engine/block/foreign.h"

#include <errno.h>

#include "base/log.h"
#include "engine/memory/drop.h"
#include "engine/store/extent.h"
#include "engine/copy/verify.h"
#include "kernel/map.h"
#include "kernel/vma_text.h"

#include "base/poison.h"

/* The part of an extent that lies in one mapping of the kernel's. */
struct piece {
    uintptr_t start, end;
    struct vma vma;
    bool shown; /* the mapping is the one that the extent describes */
    bool told;  /* the kernel was asked and answered; else the extent is believed where that does no harm */
};

static void guess(struct piece *piece)
{
    unsigned access;

    piece->end = drop_alike(piece->start, piece->end, &access);
    piece->vma = (struct vma){.readable = (access & ACCESS_READ) != 0, .writable = (access & ACCESS_WRITE) != 0};
    piece->shown = true;
}

static bool next_piece(const struct block *block, struct vma_walk *walk, uintptr_t start, uintptr_t end, struct piece *piece)
{
    const struct extent *extent = extent_from(block, start);
    int error;

    if (start >= end || extent == NULL || extent_start(extent) >= end)
        return false;
    piece->start = max_address(start, extent_start(extent));
    piece->end = min_address(end, extent_end(extent));
    error = vma_walk_at(walk, piece->start, &piece->vma);
    piece->told = error == 0 || error == -ENOENT;
    if (!piece->told) {
        guess(piece);
        return true;
    }
    piece->shown = error == 0 && verify_shows(&piece->vma, extent, piece->start);
    if (error == 0)
        piece->end = min_address(piece->end, piece->vma.end);
    else
        piece->end = piece->start + page_size; /* a gap, page by page: something else may begin anywhere */
    return true;
}

bool foreign_in_place(const struct extent *view)
{
    uintptr_t at = extent_start(view);
    struct vma_walk walk;
    struct piece piece;

    vma_walk_begin(&walk);
    while (next_piece(view->block, &walk, at, extent_end(view), &piece)) {
        if (!piece.shown || !piece.told)
            return false;
        at = piece.end;
    }
    return true;
}

int foreign_forget(struct block *block, uintptr_t start, uintptr_t end)
{
    struct extent_spares spares;
    int error;

    for (struct extent *extent = extent_from(block, start); extent != NULL && extent_start(extent) < end; extent = extent_after(extent))
        store_share(extent->store);
    error = extent_spares_take(&spares);
    if (error != 0)
        return error;
    extent_clear(block, start, end, &spares);
    extent_spares_give(&spares);
    return 0;
}

int foreign_forget_stale(struct block *block, uintptr_t start, uintptr_t end)
{
    struct vma_walk walk;
    struct piece piece;
    int error = 0;

    vma_walk_begin(&walk);
    while (error == 0 && next_piece(block, &walk, start, end, &piece)) {
        if (!piece.shown)
            error = foreign_forget(block, piece.start, piece.end);
        start = piece.end;
    }
    return error;
}

void foreign_cut(struct block *block, uintptr_t start, uintptr_t end)
{
    /* It may have been cut since the caller looked. */
    start = max_address(start, page_down(block_start(block)));
    end = min_address(end, page_up(block_end(block)));
    if (!block->live || start >= end)
        return;
    if (foreign_forget(block, start, end) != 0 || block_cut(block, start, end) != 0)
        block->excluded = true;
}

static unsigned access_of(const struct vma *vma)
{
    return (vma->readable ? ACCESS_READ : 0) | (vma->writable ? ACCESS_WRITE : 0) | (vma->executable ? ACCESS_EXECUTE : 0);
}

/* What takes the place of a view is readable and writable; what the program protected gets its protection back. */
static void protect_as_before(const struct piece *piece)
{
    unsigned access = access_of(&piece->vma);

    if (access != ACCESS_USUAL)
        map_protect(piece->start, piece->end - piece->start, access);
}

static int drop_piece(struct block *block, const struct piece *piece)
{
    return (block->kept ? drop_by_filling : drop_or_fill)(block, piece->start, piece->end, access_of(&piece->vma));
}

static int unshare_piece(struct block *block, const struct piece *piece)
{
    int error = drop_sharing(block, piece->start, piece->end);

    if (error == 0)
        protect_as_before(piece);
    return error;
}

/* Calls treat() for each view that the kernel confirms, and forgets the others. */
static int for_views(struct block *block, uintptr_t start, uintptr_t end, int (*treat)(struct block *block, const struct piece *piece))
{
    struct vma_walk walk;
    struct piece piece;
    int first_error = 0;

    vma_walk_begin(&walk);
    while (next_piece(block, &walk, start, end, &piece)) {
        int error = piece.shown ? treat(block, &piece) : foreign_forget(block, piece.start, piece.end);

        if (first_error == 0)
            first_error = error;
        start = piece.end;
    }
    return first_error;
}

int foreign_unshare(struct block *block, uintptr_t start, uintptr_t end)
{
    return for_views(block, start, end, unshare_piece);
}

void foreign_yield(struct block *block, uintptr_t start, uintptr_t end)
{
    uintptr_t stop = max_address(page_down(end), start);

    if (for_views(block, start, stop, drop_piece) != 0 || foreign_unshare(block, stop, page_up(end)) != 0)
        log_info("%p: some pages that the allocator has show a store", (void *)start);
    foreign_cut(block, start, page_up(end));
}

/* What still shows a store, because pages may not be replaced, stays known: when the program discards it, it must not come back. */
static void keep(struct block *block, uintptr_t start, uintptr_t end)
{
    if (foreign_unshare(block, page_up(start), page_down(end)) != 0)
        log_info("%p: some pages of a marked range stay in a store", (void *)start);
    if (extent_any(block, page_up(start), page_down(end))) {
        block->excluded = true;
        block->kept = true;
    } else {
        foreign_cut(block, page_down(start), page_up(end));
    }
}

void foreign_memory_call(struct block *block, uintptr_t start, uintptr_t end, enum engine_memory_call call)
{
    switch (call) {
    case MEMORY_FREE: /* the caller made sure that the kernel will free it */
    case MEMORY_ZERO:
    case MEMORY_ZERO_LOCKED:
        if (for_views(block, page_up(start), page_down(end), drop_piece) != 0)
            log_warn("%p: pages that were to be dropped are kept", (void *)start);
        break;
    case MEMORY_EXCLUDE:
        block->changing++;
        break;
    case MEMORY_SETTLED:
        if (block->changing > 0)
            block->changing--;
        break;
    case MEMORY_GONE:
        foreign_cut(block, page_down(start), page_up(end));
        break;
    case MEMORY_KEEP:
        keep(block, start, end);
        break;
    case MEMORY_ADMIT:
    case MEMORY_COLLAPSE:
        break;
    case MEMORY_HUGE:
        block->huge = true;
        break;
    }
}
