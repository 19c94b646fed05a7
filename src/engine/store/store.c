/* SPDX-License-Identifier: MIT */
#include "engine/store/store.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/lock.h"
#include "base/page.h"
#include "engine/report/counters.h"
#include "engine/store/give.h"
#include "engine/store/reclaim.h"

#include "base/poison.h"

/* A seal from this size on is a store of its own, of which all is given back with its last view; smaller ones share stores of the
   other size: a record for each would cost more than it gives. */
#define OWN_STORE ((size_t)1 << 20)
#define SHARED_STORE ((size_t)4 << 20)
/* Ranges of the file are multiples of it: sweeps count in bytes of bits. */
#define RANGE_PAGES 16

static struct store *all;
static uint64_t unshown;
static struct store *open_store[STOREFILE_KINDS]; /* for small seals; held */

/* True when the caller must give it back, after the lock. */
static bool release_locked(struct store *store)
{
    if (--store->holds > 0)
        return false;
    store_unlink(&all, store);
    return true;
}

static int new_store(enum storefile_kind kind, size_t size, struct generation *generation, struct store **out)
{
    struct store *store = pool_take(&store_pool);
    uint64_t offset;
    int error;

    if (store == NULL)
        return -ENOMEM;
    error = file_take(kind, size, &store->file, &offset);
    if (error != 0) {
        pool_give(&store_pool, store);
        return error;
    }
    store->generation = generation;
    store->range.by_offset.key = offset;
    store->range.size = size;
    store->used = offset;
    store->holds = 1;
    generation_join(generation);
    file_add(store->file, &store->range);
    store_link(&all, store);
    counter_add(COUNT_stores_opened, 1);
    *out = store;
    return 0;
}

static bool has_room(struct store *store, size_t size, const struct generation *generation)
{
    return !store->astray && store->generation == generation && store->used + size <= store_end(store) && file_serves(store->file);
}

/* The open store of the kind, a new one if need be. *old: a superseded one that nobody holds any more. */
static int pick_open(enum storefile_kind kind, size_t size, struct generation *generation, struct store **out, struct store **old)
{
    struct store *open = open_store[kind];

    if (open == NULL || !has_room(open, size, generation)) {
        struct store *fresh;
        int error = new_store(kind, SHARED_STORE, generation, &fresh);

        if (error != 0)
            return error;
        if (open != NULL && release_locked(open))
            *old = open;
        open_store[kind] = fresh;
    }
    *out = open_store[kind];
    (*out)->holds++;
    return 0;
}

static int reserve_locked(enum storefile_kind kind, size_t size, struct store **out, uint64_t *offset, struct store **old)
{
    struct generation *generation = generation_now();
    int error;

    if (generation == NULL)
        return -ENOMEM;
    if (size >= OWN_STORE)
        error = new_store(kind, align_up(size, RANGE_PAGES * page_size), generation, out);
    else
        error = pick_open(kind, size, generation, out, old);
    if (error != 0)
        return error;
    *offset = (*out)->used;
    error = file_reach((*out)->file, *offset + size);
    if (error == 0) {
        (*out)->used += size;
        (*out)->writers++;
        atomic_fetch_add_explicit(&store_reserved, size, memory_order_relaxed);
    } else if (release_locked(*out)) {
        *old = *out;
    }
    return error;
}

int store_reserve(enum storefile_kind kind, size_t size, struct store **store, uint64_t *offset)
{
    struct store *old = NULL;
    int error;

    if (store_bytes() == 0)
        reclaim_first_store();
    lock_take(&stores_lock);
    error = reserve_locked(kind, size, store, offset, &old);
    lock_drop(&stores_lock);
    if (old != NULL)
        store_give_back(old);
    return error;
}

void store_finish(struct store *store)
{
    lock_take(&stores_lock);
    store->writers--;
    lock_drop(&stores_lock);
    store_release(store);
}

/* Takes back the last reservation, or the end of it, so that it is not counted as stored; where the store is one seal's own, the next store
   of the file may begin there. */
static void shorten(struct store *store, size_t size)
{
    size_t left;

    store->used -= size;
    atomic_fetch_sub_explicit(&store_reserved, size, memory_order_relaxed);
    left = align_up(store->used - store_start(store), RANGE_PAGES * page_size);
    if (store == open_store[store->file->kind] || store->punched != NULL || left == 0 || left == store->range.size)
        return;
    file_give(store->file, store_start(store) + left, store->range.size - left);
    store->range.size = left;
}

void store_abandon(struct store *store, uint64_t offset, size_t size)
{
    int fd = store_use(store);
    bool empty = fd >= 0 && descriptor_in_own_process() && storefile_punch(fd, offset, size) == 0;

    lock_take(&stores_lock);
    if (empty && store->used == offset + size)
        shorten(store, size);
    lock_drop(&stores_lock);
    store_finish(store);
}

int store_use(struct store *store)
{
    return descriptor_use(&store->file->descriptor);
}

void store_hold(struct store *store)
{
    lock_take(&stores_lock);
    store->holds++;
    lock_drop(&stores_lock);
}

void store_release(struct store *store)
{
    bool last;

    lock_take(&stores_lock);
    last = release_locked(store);
    /* Nobody shows the open store: what small seals left in it is dead, so begin a new one. */
    if (!last && store->holds == 1 && open_store[store->file->kind] == store && store->used > store_start(store)) {
        open_store[store->file->kind] = NULL;
        last = release_locked(store);
    }
    lock_drop(&stores_lock);
    if (last)
        store_give_back(store);
}

void store_add_view(struct store *store, struct tree_node *by_offset)
{
    lock_take(&stores_lock);
    store->holds++;
    store->changes++;
    store->view_count++;
    tree_insert(&store->views, by_offset);
    lock_drop(&stores_lock);
}

void store_remove_view(struct store *store, struct tree_node *by_offset, size_t size)
{
    lock_take(&stores_lock);
    store->changes++;
    store->view_count--;
    unshown += size;
    tree_remove(&store->views, by_offset);
    lock_drop(&stores_lock);
}

uint64_t store_bytes(void)
{
    return atomic_load_explicit(&store_reserved, memory_order_relaxed);
}

uint64_t store_take_unshown(void)
{
    uint64_t bytes;

    lock_take(&stores_lock);
    bytes = unshown;
    unshown = 0;
    lock_drop(&stores_lock);
    return bytes;
}

struct store *store_after(struct store *store)
{
    struct store *next;

    lock_take(&stores_lock);
    next = store == NULL ? all : store->next;
    if (next != NULL)
        next->holds++;
    lock_drop(&stores_lock);
    if (store != NULL)
        store_release(store);
    return next;
}

void store_make_first(struct store *store)
{
    lock_take(&stores_lock);
    store_unlink(&all, store);
    store_link(&all, store);
    lock_drop(&stores_lock);
}

static bool can_be_swept(const struct store *store)
{
    return !store->astray && store->writers == 0;
}

int store_picture_take(struct store *store, struct store_picture *picture, size_t most,
                       void (*visit)(struct tree_node *view, void *context), void *context)
{
    int error = -EAGAIN;

    lock_take(&stores_lock);
    if (can_be_swept(store) && store->view_count <= most && store_ask(store) == WITNESS_ALONE) {
        picture->used = store->used;
        picture->changes = store->changes;
        for (struct tree_node *view = tree_first(&store->views); view != NULL; view = tree_next(view))
            visit(view, context);
        error = 0;
    }
    lock_drop(&stores_lock);
    return error;
}

bool store_picture_holds(struct store *store, const struct store_picture *picture)
{
    bool same;

    lock_take(&stores_lock);
    same = can_be_swept(store) && store->changes == picture->changes && store->used == picture->used;
    lock_drop(&stores_lock);
    return same;
}

bool store_alone(struct store *store)
{
    bool alone;

    lock_take(&stores_lock);
    alone = store_ask(store) == WITNESS_ALONE;
    lock_drop(&stores_lock);
    return alone;
}

void store_refilled(struct store *store, uint64_t offset, uint64_t size)
{
    size_t end = (offset + size - store_start(store)) / page_size;

    lock_take(&stores_lock);
    if (store->punched != NULL)
        for (size_t page = (offset - store_start(store)) / page_size; page < end; page++)
            store->punched[page >> 3] &= (unsigned char)~(1u << (page & 7));
    lock_drop(&stores_lock);
}

void store_totals(size_t *count, uint64_t *allocated)
{
    *count = 0;
    *allocated = 0;
    lock_take(&stores_lock);
    for (struct store *store = all; store != NULL; store = store->next)
        ++*count;
    for (struct store_file *file = file_after(NULL); file != NULL; file = file_after(file)) {
        uint64_t bytes = 0;
        int fd = descriptor_use(&file->descriptor);

        if (fd >= 0)
            storefile_allocated(fd, &bytes);
        *allocated += bytes;
    }
    lock_drop(&stores_lock);
}

void store_share(struct store *store)
{
    lock_take(&stores_lock);
    store->astray = true;
    lock_drop(&stores_lock);
}

void store_after_fork(bool child)
{
    generation_end();
    if (child) {
        file_after_fork();
        store_unsettle();
    }
}
