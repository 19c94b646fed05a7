/* SPDX-License-Identifier: MIT */
/* The end of a store, for store.c: a store that this process shows no more is punched at once, or waits until no other process shows it. */
#ifndef COWSHIM_ENGINE_GIVE_H
#define COWSHIM_ENGINE_GIVE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/lock.h"
#include "engine/store/store.h"

extern struct lock stores_lock;
extern struct pool store_pool;
extern _Atomic uint64_t store_reserved; /* bytes, in all stores */

static inline uint64_t store_end(const struct store *store)
{
    return store_start(store) + store->range.size;
}

/* With the lock: */
void store_link(struct store **list, struct store *store);
void store_unlink(struct store **list, struct store *store);
/* Whether another process shows it. If one does, store_settle() asks again later. */
enum witness_says store_ask(const struct store *store);
/* Tells store_settle() that it may have something to do. */
void store_unsettle(void);

/* Without the lock: gives back a store that is in no list and whose last hold is gone. */
void store_give_back(struct store *store);

#endif
