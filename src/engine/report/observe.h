/* SPDX-License-Identifier: MIT */
/* An observer is told what the engine sees and decides: `cowshim profile` preloads one, libcowshim-profile.so. Without one each of
   the calls below is a compare of a pointer with NULL, on ways that only large copies and large allocations take.

   Every function of an observer but look() is called inside the gate, in the process that it belongs to: none runs while the
   process forks. Locks of the engine may be held: an observer takes only locks of its own, last, and calls nothing of ours.
   errno is the caller's to keep. */
#ifndef COWSHIM_ENGINE_OBSERVE_H
#define COWSHIM_ENGINE_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Grows with every change of what follows: shim and observer come from one build, or do not know each other. */
#define OBSERVER_VERSION 1

struct observed_verdict {
    unsigned reason;                              /* enum reason; REASON_none: shared, or would be as far as the policy was not asked */
    size_t shared;                                /* bytes that were */
    unsigned site;                                /* where the policy learns */
    bool target_touched, target_huge, huge_store; /* what the policy is asked with; see struct facts */
};

enum observed_event { OBSERVED_BLOCK, OBSERVED_COPY, OBSERVED_SMALL };

struct observer {
    unsigned version;
    bool substitute;      /* false: every copy is judged by all checks but the policy, and then made plainly */
    size_t smallest_copy; /* copies below COWSHIM_MIN_SIZE are told of from this size on */
    /* Outside of the gate and of all locks: the calling thread is about to add a block, to copy, or to copy what is below
       COWSHIM_MIN_SIZE; where is it? False: this copy does not matter, and is not told of. */
    bool (*look)(enum observed_event event, size_t size);
    void (*block_added)(uintptr_t start, size_t size);
    void (*block_leaves)(uintptr_t start, size_t size);                 /* its memory is still there */
    void (*block_returns)(uintptr_t was, uintptr_t start, size_t size); /* after block_leaves, by the same thread */
    void (*copy_begins)(uintptr_t to, uintptr_t from, size_t size);
    void (*copy_judged)(uintptr_t to, uintptr_t from, size_t size, const struct observed_verdict *verdict);
    void (*copy_too_small)(uintptr_t to, uintptr_t from, size_t size);
    void (*forked)(void); /* in the child */
    void (*ends)(void);   /* destructors run */
};

/* What an observer's library defines. NULL: it does not want to. store_bytes() may be called at any time. */
typedef const struct observer *observer_offer(uint64_t (*store_bytes)(void));

/* Once, by the shim, before the first block. An observer of another version is left alone: false. */
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

/* A copy that nobody else looks at, because COWSHIM_MIN_SIZE is larger. Keeps errno. */
void engine_note_copy(const void *to, const void *from, size_t size);

#endif
