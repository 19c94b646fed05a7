/* SPDX-License-Identifier: MIT */
#include "engine/store/give.h"

#include "base/arena.h"
#include "base/page.h"
#include "kernel/holders.h"
#include "kernel/storefile.h"
#include "kernel/vma_text.h"

#include "base/poison.h"

struct lock stores_lock = LOCK_INITIALIZER(LOCK_STORES);
_Atomic uint64_t store_reserved;
struct pool store_pool = POOL_INITIALIZER(struct store);

static struct store *waiting; /* shown no more, but perhaps by others */
static bool worth_a_try;      /* to give those back, although we are not alone again */
static _Atomic bool unsettled;

void store_link(struct store **list, struct store *store)
{
    store->next = *list;
    store->previous = NULL;
    if (*list != NULL)
        (*list)->previous = store;
    *list = store;
}

void store_unlink(struct store **list, struct store *store)
{
    if (store->previous != NULL)
        store->previous->next = store->next;
    else
        *list = store->next;
    if (store->next != NULL)
        store->next->previous = store->previous;
}

enum witness_says store_ask(const struct store *store)
{
    enum witness_says says = generation_ask(store->generation);

    if (says != WITNESS_ALONE)
        store_unsettle();
    return says;
}

static void set_idle(struct store *store, bool idle)
{
    if (store->idle != idle)
        store->file->idle += idle ? 1 : -1u;
    store->idle = idle;
}

static void forget_locked(struct store *store)
{
    set_idle(store, false);
    atomic_fetch_sub_explicit(&store_reserved, store->used - store_start(store), memory_order_relaxed);
    generation_leave(store->generation);
    file_remove(store->file, &store->range);
    if (store->punched != NULL && store->punched != store->few)
        arena_pages_give(store->punched, store->range.size / page_size / 8);
    pool_give(&store_pool, store);
}

/* Whether any mapping of this process shows it. A mapping that moves during one look could be missed, so that there are two. */
static bool strays(const struct store *store)
{
    const struct descriptor *file = &store->file->descriptor;

    for (int i = 0; i < 2; i++)
        if (vma_text_shows(file->device, file->inode, store_start(store), store_end(store)))
            return true;
    return false;
}

enum fate {
    FATE_PUNCH,
    FATE_FORGET, /* it is another process's to punch */
    FATE_WAIT,   /* for other processes that show it */
    FATE_RETRY,  /* later; somebody else may show it, or the descriptors here are not ours */
    FATE_STUCK,  /* cannot be given back, now or ever: best when the file is closed */
};

static enum fate fate_of(struct store *store)
{
    enum witness_says says;
    bool own;

    if (!descriptor_in_own_process() || (store->astray && strays(store)))
        return FATE_RETRY;
    lock_take(&stores_lock);
    says = store_ask(store);
    own = store->file->own;
    lock_drop(&stores_lock);
    if (says == WITNESS_ALONE)
        return FATE_PUNCH;
    if (!own)
        return FATE_FORGET;
    return says == WITNESS_COPIED ? FATE_WAIT : FATE_STUCK;
}

/* Not if its end may lie within a large page that somebody reads later: as a part of one it would become zero. */
static bool may_be_punched(const struct store *store)
{
    return holders_known() == 0 || (store_start(store) | store->used) % storefile_largest_page(store->file->kind) == 0;
}

static bool punch_all(struct store *store)
{
    int fd = store_use(store);

    return fd >= 0 && may_be_punched(store) && storefile_punch(fd, store_start(store), store->used - store_start(store)) == 0;
}

/* Stores that nobody of us shows keep a file open which is of no other use. Once it is closed the kernel gives back all that others
   do not show. */
static void forget_file(struct store_file *file)
{
    struct store *next;

    file->count++; /* it stays until we are done */
    for (struct store *store = waiting; store != NULL; store = next) {
        next = store->next;
        if (store->file == file) {
            store_unlink(&waiting, store);
            forget_locked(store);
        }
    }
    file_let_go(file);
}

static void let_wait(struct store *store, enum fate fate)
{
    struct store_file *file = store->file;

    store_link(&waiting, store);
    set_idle(store, fate == FATE_WAIT || fate == FATE_STUCK);
    worth_a_try = worth_a_try || fate != FATE_WAIT;
    store_unsettle();
    if (fate == FATE_STUCK)
        file_retire(file);
    if (descriptor_in_own_process() && file_end_if_idle(file))
        forget_file(file);
}

void store_give_back(struct store *store)
{
    enum fate fate = fate_of(store);

    if (fate == FATE_PUNCH && !punch_all(store))
        fate = FATE_STUCK;
    lock_take(&stores_lock);
    if (fate == FATE_PUNCH)
        file_give(store->file, store_start(store), store->range.size);
    if (fate == FATE_PUNCH || fate == FATE_FORGET)
        forget_locked(store);
    else
        let_wait(store, fate);
    lock_drop(&stores_lock);
}

/* Punches what another process had in a file that is ours alone now. */
static void punch_gaps(struct store_file *file)
{
    uint64_t end = 0, start = 0;
    bool more;

    do {
        int fd;

        lock_take(&stores_lock);
        start = end;
        more = file_gap(file, &start, &end);
        fd = descriptor_use(&file->descriptor);
        lock_drop(&stores_lock);
        if (more && fd >= 0)
            storefile_punch(fd, start, end - start);
    } while (more);
    lock_take(&stores_lock);
    file_let_go(file);
    lock_drop(&stores_lock);
}

/* Takes all waiting stores out of the list. */
static struct store *take_waiting(void)
{
    struct store *list = waiting;

    for (struct store *store = list; store != NULL; store = store->next)
        set_idle(store, false);
    waiting = NULL;
    worth_a_try = false;
    return list;
}

void store_unsettle(void)
{
    atomic_store_explicit(&unsettled, true, memory_order_relaxed);
}

bool store_unsettled(void)
{
    return atomic_load_explicit(&unsettled, memory_order_relaxed);
}

bool store_settle(void)
{
    struct store *list = NULL;
    struct store_file *left;
    bool regained;

    lock_take(&stores_lock);
    regained = generation_regained();
    left = file_left_to_us();
    if (regained || worth_a_try)
        list = take_waiting();
    /* Stores that have to go on waiting set it again. */
    atomic_store_explicit(&unsettled, generation_missed() || file_foreign(), memory_order_relaxed);
    lock_drop(&stores_lock);
    while (list != NULL) {
        struct store *next = list->next;

        store_give_back(list);
        list = next;
    }
    if (left != NULL)
        punch_gaps(left);
    return regained;
}
