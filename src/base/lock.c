/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include "base/thread.h"

#include "base/poison.h"

#ifdef COWSHIM_DEBUG
#define MAX_HELD (1u << 20) /* reclaim tries for the lock of every block that shows a store */

static THREAD_LOCAL unsigned held_by_rank[LOCK_ARENA + 1];

static void check_order(enum lock_rank rank)
{
    for (unsigned r = (unsigned)rank + (rank == LOCK_BLOCK); r <= LOCK_ARENA; r++)
        if (held_by_rank[r] != 0)
            __builtin_trap();
}

static void count_held(enum lock_rank rank, int change)
{
    held_by_rank[rank] += (unsigned)change;
    if (held_by_rank[rank] > MAX_HELD)
        __builtin_trap();
}
#else
static void check_order(enum lock_rank rank)
{
    (void)rank;
}

static void count_held(enum lock_rank rank, int change)
{
    (void)rank;
    (void)change;
}
#endif

void lock_init(struct lock *lock, enum lock_rank rank)
{
    pthread_mutex_init(&lock->mutex, NULL);
    lock->rank = rank;
}

void lock_take(struct lock *lock)
{
    check_order(lock->rank);
    pthread_mutex_lock(&lock->mutex);
    count_held(lock->rank, 1);
}

bool lock_try(struct lock *lock)
{
    if (pthread_mutex_trylock(&lock->mutex) != 0)
        return false;
    count_held(lock->rank, 1);
    return true;
}

void lock_drop(struct lock *lock)
{
    count_held(lock->rank, -1);
    pthread_mutex_unlock(&lock->mutex);
}
