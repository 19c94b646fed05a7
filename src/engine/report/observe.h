/* SPDX-License-Identifier: MIT */
/* An observer is told what the engine sees and decides: `cowshim profile` preloads one, libcowshim-profile.so. Without an observer each of
   the calls below compares a pointer with NULL, and only large copies and large allocations come here.

   All functions of an observer but look() are called inside the gate, so that none of them runs while the process forks. The engine may
   hold locks meanwhile: an observer takes its own locks after them, and calls none of our functions. Whoever calls an observer restores
   errno. */
#ifndef COWSHIM_ENGINE_OBSERVE_H
#define COWSHIM_ENGINE_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Grows with every change of what follows, so that a shim refuses an observer of another build. */
#define OBSERVER_VERSION 1

struct observed_verdict {
    unsigned reason;                              /* enum reason; REASON_none: it was shared, or would be if the policy agrees */
    size_t shared;                                /* bytes that were shared */
    unsigned site;                                /* the place in the program, by the policy's key for it */
    bool target_touched, target_huge, huge_store; /* what the policy is told of the copy; see struct facts */
};

enum observed_event { OBSERVED_BLOCK, OBSERVED_COPY, OBSERVED_SMALL };

struct observer {
    unsigned version;
    bool substitute;      /* share copies as ever; false: all checks but the policy judge each copy, and then it is made plainly */
    size_t smallest_copy; /* copies below COWSHIM_MIN_SIZE are reported from this size on */
    /* Called outside of the gate and of all locks, when the calling thread is about to add a block, to copy, or to copy less than
       COWSHIM_MIN_SIZE: the observer may record its stack. False: this copy does not matter, and is not reported. */
    bool (*look)(enum observed_event event, size_t size);
    void (*block_added)(uintptr_t start, size_t size);
    void (*block_leaves)(uintptr_t start, size_t size);                 /* its memory can still be read */
    void (*block_returns)(uintptr_t was, uintptr_t start, size_t size); /* after block_leaves, by the same thread */
    void (*copy_begins)(uintptr_t to, uintptr_t from, size_t size);
    void (*copy_judged)(uintptr_t to, uintptr_t from, size_t size, const struct observed_verdict *verdict);
    void (*copy_too_small)(uintptr_t to, uintptr_t from, size_t size);
    void (*forked)(void); /* in the child */
    void (*ends)(void);   /* the process exits: destructors run */
};

/* What an observer's library defines. NULL: it does not want to observe this process. It may call store_bytes() at any time. */
typedef const struct observer *observer_offer(uint64_t (*store_bytes)(void));

/* Called once by the shim, before the first block. False: the observer is of another version, and is not used. */
bool observe_start(const struct observer *observer);
bool observe_substitutes(void);
bool observed(void); /* whether there is an observer */

bool observe_look(enum observed_event event, size_t size);
void observe_added(uintptr_t start, size_t size);
void observe_leaves(uintptr_t start, size_t size);
void observe_returns(uintptr_t was, uintptr_t start, size_t size);
void observe_copy_begins(uintptr_t to, uintptr_t from, size_t size);
void observe_copy_judged(uintptr_t to, uintptr_t from, size_t size, const struct observed_verdict *verdict);
void observe_forked(void);
void observe_ends(void);

/* Reports a copy that is smaller than COWSHIM_MIN_SIZE, which nobody else looks at. Keeps errno. */
void engine_note_copy(const void *to, const void *from, size_t size);

#endif
