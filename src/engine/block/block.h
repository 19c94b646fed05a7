/* SPDX-License-Identifier: MIT */
/* Blocks: the large live allocations, and the registry that finds them by address. Blocks do not overlap.
   A found block is held (counted), so that its record outlives a concurrent free; drop it with block_release().
   What stands below "under the lock" is protected by block->lock, taken after finding. */
#ifndef COWSHIM_ENGINE_BLOCK_H
#define COWSHIM_ENGINE_BLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/tree.h"
#include "engine/policy/trace.h"

enum block_kind {
    BLOCK_MALLOC,     /* an allocation: raw is the allocator's own pointer */
    BLOCK_REGISTERED, /* memory that the program registered; raw is NULL here and below, and see foreign.h */
    BLOCK_ANON,       /* a mapping of the program (COWSHIM_SCOPE=anon) */
};

/* See header.h. */
enum block_header {
    HEADER_UNKNOWN, /* nobody looked at it */
    HEADER_STAYS,
    HEADER_DROPPED,
};

/* A member is atomic where somebody reads it without the lock that its writers hold. That reader may find an outdated value, which does no
   harm: whatever must be certain is checked again under the lock. */
struct block {
    struct tree_node node; /* key: the address that the program has; registry lock */
    _Atomic size_t size;   /* bytes that the program may use; atomic: realloc() sets it, and block_peek() reads it, without a lock */
    void *raw;             /* the allocator's own pointer, or NULL */
    uint32_t maker;        /* who asked for it, or 0: see placement.h; never changes */
    enum block_kind kind;
    _Atomic unsigned holds;         /* references, with the registry's own; atomic: dropped without any lock */
    _Atomic unsigned extents_count; /* of extents; atomic: free() and others ask without the lock whether there are any */
    struct lock lock;
    bool swept; /* the sweep that is under way has locked it already; under the sweep lock */
    /* under the lock: */
    struct tree extents;   /* what of it shows a store; see extent.h */
    bool live;             /* false once it left the registry: nothing may be mapped into it any more */
    _Atomic bool excluded; /* the program locked, protected or partly unmapped it; atomic: see barred */
    bool kept;             /* locked, marked or partly unmapped by the program: excluded for good, unlike what is only protected */
    _Atomic bool huge;     /* the program asked for huge pages here; atomic: see barred */
    _Atomic bool barred;   /* cowshim_exclude(): nothing is shared from or to it; atomic: the exported page tells of it, and is written
                              under the registry lock alone */
    bool rewritten;        /* cowshim_expect_rewrite() */
    unsigned char header;  /* enum block_header */
    unsigned changing;     /* calls of the program under way that may unmap a part of it, or protect foreign memory */
    struct trace made;     /* of the last copy into it */
    struct trace given;    /* of the last copy of it */
    unsigned export_slot;  /* registry lock; see export.h */
    uintptr_t header_word; /* what the allocator has in front of the block, while its page is dropped */
    size_t copied_pages;   /* private pages, in runs too short to be sealed, that copies of it had to copy since it was last sealed whole */
    /* under the lock of removal.c: */
    struct block *next_stuck; /* the next removed block that could not be given back yet */
};

static inline uintptr_t block_start(const struct block *block)
{
    return (uintptr_t)block->node.key;
}

static inline uintptr_t block_end(const struct block *block)
{
    return (uintptr_t)block->node.key + block->size;
}

/* Memory of which we see only what the program does to it through libc: the kernel is asked before anything is done there. */
static inline bool block_foreign(const struct block *block)
{
    return block->kind != BLOCK_MALLOC;
}

/* Whether any of the range is in it. */
static inline bool block_reaches(const struct block *block, uintptr_t start, uintptr_t end)
{
    return block_start(block) < end && block_end(block) > start;
}

/* Whether anything may be mapped into it now. Needs the lock. */
static inline bool block_settled(const struct block *block)
{
    return block->live && !block->excluded && block->changing == 0;
}

/* Registers a live allocation. NULL when there is no memory for the record. The record is not held for the caller. */
struct block *block_add(uintptr_t start, size_t size, void *raw);
/* Registers other memory. 0, -EEXIST when it would overlap a block, or -ENOMEM. */
int block_add_foreign(uintptr_t start, size_t size, enum block_kind kind);

struct block *block_find(uintptr_t address);                  /* the one that contains the address, held, or NULL */
struct block *block_find_start(uintptr_t start);              /* the one that starts there, held, or NULL */
struct block *block_find_allocation(const void *start);       /* the same for allocations and registered memory only */
struct block *block_find_from(uintptr_t address);             /* the first that ends above the address, held, or NULL */
struct block *block_find_range(uintptr_t start, size_t size); /* the one that all of the range lies in, held, or NULL */
bool block_contains(const struct block *block, uintptr_t start, size_t size);
/* Whether the stack that we run on lies in the block (pthread_attr_setstack, coroutines), so that its pages must not be replaced. */
bool block_has_our_stack(const struct block *block);

/* For a thread that cannot take the lock: the size of the block that starts there, and the last block that reaches into a range. They may
   miss a block if another thread is changing the tree, or was when the parent forked. */
bool block_peek(uintptr_t start, size_t *size); /* of allocations and registered memory only */
bool block_peek_range(uintptr_t start, size_t size, uintptr_t *found, size_t *found_size);

/* Takes a held block out of the registry. False if another thread has done so already (a double free of the program). */
bool block_remove(struct block *block);
/* Cuts the pages of [start, end), which show no store, out of a block: it shrinks, or is split in two. A remainder without a whole page
   leaves the registry. Needs the lock. 0, or -ENOMEM and nothing is changed. */
int block_cut(struct block *block, uintptr_t start, uintptr_t end);
/* Puts a removed block back, perhaps at another place. It cannot fail. */
void block_restore(struct block *block, uintptr_t start, size_t size, void *raw);

void block_hold(struct block *block);
void block_release(struct block *block); /* NULL is accepted */

/* Locks two blocks, which may be the same, by rising address, so that two threads cannot deadlock. */
void block_lock_pair(struct block *a, struct block *b);
void block_unlock_pair(struct block *a, struct block *b);

size_t block_count(void);
size_t block_count_registered(void);

/* What other processes see of the blocks (export.h). all: opens the page in a process that has none, and lists what there is; cheap
   when it is open. change: after a change of size or flags. copy: a copy by the caller was mapped into the block. */
void block_export_all(void);
void block_export_change(struct block *block);
void block_export_copy(struct block *block, uintptr_t from, const void *caller);

#endif
