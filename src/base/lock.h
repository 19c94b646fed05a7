/* SPDX-License-Identifier: MIT */
/* Mutexes with a rank. A thread takes locks in rising rank; two of one rank (blocks) in rising address. Debug builds check it
   (--enable-debug). Never held across a call of the program's allocator. */
#ifndef COWSHIM_BASE_LOCK_H
#define COWSHIM_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

enum lock_rank { LOCK_SWEEP = 1, LOCK_BLOCK, LOCK_REGISTRY, LOCK_STORES, LOCK_KERNEL, LOCK_ARENA };

struct lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
};

#define LOCK_INITIALIZER(r) \
    { \
        PTHREAD_MUTEX_INITIALIZER, (r) \
    }

void lock_init(struct lock *lock, enum lock_rank rank);
void lock_take(struct lock *lock);
bool lock_try(struct lock *lock);
void lock_drop(struct lock *lock);

#endif
