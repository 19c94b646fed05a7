/* SPDX-License-Identifier: MIT */
#include "engine/store/store.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/lock.h"
#include "base/page.h"
#include "engine/report/counters.h"
#include "kernel/witness.h"

#include "base/poison.h"

/* A seal from this size on gets a file of its own; smaller ones share files of the other size, so that thousands of small blocks
   need a few dozen descriptors, and one dead file is soon whole. */
#define OWN_FILE ((size_t)32 << 20)
#define SHARED_FILE ((size_t)64 << 20)

static struct lock stores_lock = LOCK_INITIALIZER(LOCK_STORES);
static struct pool stores = POOL_INITIALIZER(struct store);
static struct store *all;
static uint64_t unshown;
static _Atomic uint64_t reserved_bytes;
static _Atomic bool forked_inside;
static struct store *open_store[STOREFILE_KINDS]; /* for small seals; held */
static struct store *_Atomic waiting;             /* to be closed by the process whose descriptors they are */

void store_after_fork(void)
{
    for (struct store *store = all; store != NULL; store = store->next)
        store->inherited = true;
}

static void share_if_forked(void)
{
    if (atomic_exchange(&forked_inside, false))
        store_after_fork();
}

static void link_store(struct store *store)
{
    store->next = all;
    store->previous = NULL;
    if (all != NULL)
        all->previous = store;
    all = store;
}

static void unlink_store(struct store *store)
{
    if (store->previous != NULL)
        store->previous->next = store->next;
    else
        all = store->next;
    if (store->next != NULL)
        store->next->previous = store->previous;
}

/* True when the caller must close it, after the lock. */
static bool release_locked(struct store *store)
{
    if (--store->holds > 0)
        return false;
    unlink_store(store);
    return true;
}

static void close_here(struct store *store)
{
    atomic_fetch_sub_explicit(&reserved_bytes, store->used, memory_order_relaxed);
    descriptor_drop(&store->file);
    if (store->punched != NULL)
        arena_pages_give(store->punched, (store->punched_pages + 7) / 8);
    pool_give(&stores, store);
}

/* Closes what vfork children dropped. */
static void close_waiting(void)
{
    struct store *store;

    if (atomic_load_explicit(&waiting, memory_order_relaxed) == NULL || !descriptor_in_own_process())
        return;
    store = atomic_exchange(&waiting, NULL);
    while (store != NULL) {
        struct store *next = store->next;

        close_here(store);
        store = next;
    }
}

/* A vfork child has a descriptor table of its own: closing there would leave the parent's descriptor open for ever. */
static void close_store(struct store *store)
{
    if (descriptor_in_own_process()) {
        close_here(store);
        return;
    }
    store->next = atomic_load(&waiting);
    while (!atomic_compare_exchange_weak(&waiting, &store->next, store))
        ;
}

static int new_store(enum storefile_kind kind, struct store **out)
{
    struct store *store;
    int error;

    if (!descriptor_budget_left())
        return -EMFILE;
    witness_begin();
    store = pool_take(&stores);
    if (store == NULL)
        return -ENOMEM;
    store->kind = kind;
    store->file.fd = -1;
    store->holds = 1;
    error = storefile_open(kind, &store->file);
    if (error != 0) {
        pool_give(&stores, store);
        return error;
    }
    link_store(store);
    counter_add(COUNT_stores_opened, 1);
    *out = store;
    return 0;
}

static bool has_room(struct store *store, size_t size)
{
    return !store->inherited && store->used + size <= SHARED_FILE && descriptor_use(&store->file) >= 0;
}

/* The open store of the kind, a new one if need be. *closed: a superseded one that nobody holds any more. */
static int pick_open(enum storefile_kind kind, size_t size, struct store **out, struct store **closed)
{
    struct store *old = open_store[kind];
    int error;

    if (old == NULL || !has_room(old, size)) {
        struct store *fresh;

        error = new_store(kind, &fresh);
        if (error != 0)
            return error;
        if (old != NULL && release_locked(old))
            *closed = old;
        open_store[kind] = fresh;
    }
    *out = open_store[kind];
    (*out)->holds++;
    return 0;
}

static void count_reserved(struct store *store, size_t size)
{
    store->used += size;
    atomic_fetch_add_explicit(&reserved_bytes, size, memory_order_relaxed);
}

static int reserve_locked(enum storefile_kind kind, size_t size, struct store **out, uint64_t *offset, struct store **closed)
{
    int error = size >= OWN_FILE ? new_store(kind, out) : pick_open(kind, size, out, closed);

    if (error != 0)
        return error;
    *offset = (*out)->used;
    /* The file reaches its length before anything of it is mapped: a page beyond the end would be a SIGBUS, and huge pages are
       given only inside the length. */
    error = storefile_extend(descriptor_use(&(*out)->file), *offset + size);
    if (error == 0)
        count_reserved(*out, size);
    else if (release_locked(*out))
        *closed = *out;
    return error;
}

int store_reserve(enum storefile_kind kind, size_t size, struct store **store, uint64_t *offset)
{
    struct store *closed = NULL;
    int error;

    close_waiting();
    lock_take(&stores_lock);
    share_if_forked();
    error = reserve_locked(kind, size, store, offset, &closed);
    if (error == 0)
        (*store)->writers++;
    lock_drop(&stores_lock);
    if (closed != NULL)
        close_store(closed);
    return error;
}

static void end_write(struct store *store)
{
    lock_take(&stores_lock);
    store->writers--;
    lock_drop(&stores_lock);
}

void store_finish(struct store *store)
{
    end_write(store);
    store_release(store);
}

void store_abandon(struct store *store, uint64_t offset, size_t size)
{
    int fd = store_use(store);

    if (fd >= 0 && !store->inherited)
        storefile_punch(fd, offset, size);
    store_finish(store);
}

int store_use(struct store *store)
{
    return descriptor_use(&store->file);
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
    if (!last && store->holds == 1 && open_store[store->kind] == store && store->used > 0) {
        open_store[store->kind] = NULL;
        last = release_locked(store);
    }
    lock_drop(&stores_lock);
    if (last)
        close_store(store);
}

void store_add_view(struct store *store, struct tree_node *by_offset)
{
    lock_take(&stores_lock);
    store->holds++;
    store->generation++;
    store->view_count++;
    tree_insert(&store->views, by_offset);
    lock_drop(&stores_lock);
}

void store_remove_view(struct store *store, struct tree_node *by_offset, size_t size)
{
    lock_take(&stores_lock);
    store->generation++;
    store->view_count--;
    unshown += size;
    tree_remove(&store->views, by_offset);
    lock_drop(&stores_lock);
}

uint64_t store_bytes(void)
{
    return atomic_load_explicit(&reserved_bytes, memory_order_relaxed);
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

    close_waiting();
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
    unlink_store(store);
    link_store(store);
    lock_drop(&stores_lock);
}

int store_picture_take(struct store *store, struct store_picture *picture, size_t most,
                       void (*visit)(struct tree_node *view, void *context), void *context)
{
    int error = -EAGAIN;

    lock_take(&stores_lock);
    share_if_forked();
    if (!store->inherited && store->writers == 0 && store->view_count <= most) {
        picture->used = store->used;
        picture->generation = store->generation;
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
    share_if_forked();
    same = !store->inherited && store->writers == 0 && store->generation == picture->generation && store->used == picture->used;
    lock_drop(&stores_lock);
    return same;
}

void store_refilled(struct store *store, uint64_t offset, uint64_t size)
{
    size_t end = (offset + size) / page_size;

    lock_take(&stores_lock);
    for (size_t page = offset / page_size; page < end && page < store->punched_pages; page++)
        store->punched[page >> 3] &= (unsigned char)~(1u << (page & 7));
    lock_drop(&stores_lock);
}

void store_totals(size_t *count, uint64_t *allocated)
{
    *count = 0;
    *allocated = 0;
    lock_take(&stores_lock);
    for (struct store *store = all; store != NULL; store = store->next) {
        uint64_t bytes = 0;
        int fd = descriptor_use(&store->file);

        if (fd >= 0)
            storefile_allocated(fd, &bytes);
        *allocated += bytes;
        ++*count;
    }
    lock_drop(&stores_lock);
}

void store_share(struct store *store)
{
    lock_take(&stores_lock);
    store->inherited = true;
    lock_drop(&stores_lock);
}

void store_after_fork_later(void)
{
    atomic_store(&forked_inside, true);
}
