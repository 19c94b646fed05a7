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

/* Where a member is atomic, somebody reads it without the lock that its writers hold. He may find the value of a moment ago, and does no
   harm with it: what must be certain is asked again under the lock. */
struct block {
    struct tree_node node; /* key: the address that the program has; registry lock */
    _Atomic size_t size;   /* bytes that the program may use; atomic: realloc() sets it, and block_peek() reads it, without a lock */
    void *raw;             /* the allocator's own pointer, or NULL */
    enum block_kind kind;
    _Atomic unsigned holds;         /* references, with the registry's own; atomic: dropped without any lock */
    _Atomic unsigned extents_count; /* of extents; atomic: free() and others ask without the lock whether there are any */
    struct lock lock;
    bool swept; /* sweep.c's, under the sweep lock: it took this lock already */
    /* under the lock: */
    struct tree extents;   /* what of it shows a store; see extent.h */
    bool live;             /* false once it left the registry: nothing may be mapped into it any more */
    _Atomic bool excluded; /* the program locked, protected or partly unmapped it; atomic: see barred */
    bool kept;             /* and not only protected: it stays excluded */
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

/* A record for a live allocation, in the registry: NULL when there is no memory for the record. The caller's hold comes with it
   only from the find functions, not from here. */
struct block *block_add(uintptr_t start, size_t size, void *raw);
/* One for other memory: 0, -EEXIST when it would overlap a block, -ENOMEM. */
int block_add_foreign(uintptr_t start, size_t size, enum block_kind kind);

struct block *block_find(uintptr_t address);                  /* the one that contains the address, held, or NULL */
struct block *block_find_start(uintptr_t start);              /* the one that starts there, held, or NULL */
struct block *block_find_allocation(const void *start);       /* the same for allocations and registered memory only */
struct block *block_find_from(uintptr_t address);             /* the first that ends above the address, held, or NULL */
struct block *block_find_range(uintptr_t start, size_t size); /* the one that all of the range lies in, held, or NULL */
bool block_contains(const struct block *block, uintptr_t start, size_t size);
/* A stack inside a block (pthread_attr_setstack, coroutines): we cannot replace pages that we stand on. */
bool block_has_our_stack(const struct block *block);

/* Without a lock, for a thread that cannot take it: the size of the block that starts there, or the last one that reaches into a
   range. May miss a block while another thread, or the parent at the moment of the fork, was changing the tree. */
bool block_peek(uintptr_t start, size_t *size); /* of allocations and registered memory only */
bool block_peek_range(uintptr_t start, size_t size, uintptr_t *found, size_t *found_size);

/* Takes a held block out of the registry: false if another thread did (a double free of the program). */
bool block_remove(struct block *block);
/* Cuts a block down to a part of it, or splits it: the pages of [start, end), which show nothing, are no part of it any more. A rest
   without a whole page is given up. Needs the lock. 0, or -ENOMEM and nothing is changed. */
int block_cut(struct block *block, uintptr_t start, uintptr_t end);
/* Puts a removed block back, perhaps at another place: no memory is needed for that. */
void block_restore(struct block *block, uintptr_t start, size_t size, void *raw);

void block_hold(struct block *block);
void block_release(struct block *block);

/* Two blocks, or one twice, in the order that cannot deadlock. */
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
