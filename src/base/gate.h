/* SPDX-License-Identifier: MIT */
/* The gate between the engine and fork. Every operation of the engine passes it; a fork waits until all have left and keeps
   others out until it is done, so that a child never inherits a half-made state. Below all locks: taken before any of them.
   Works with forks that nobody announced (raw clone, _Fork): gate_enter() notices that it is in a child by memory that the
   kernel wipes there (MADV_WIPEONFORK, Linux 4.14). */
#ifndef COWSHIM_BASE_GATE_H
#define COWSHIM_BASE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

/* Points to 1, and to 0 in a child of a fork that was not announced. Only gate.c writes to it. */
extern _Atomic int *_Atomic gate_mark;

/* on_orphan runs in an unannounced child, once, if nobody was inside when it was forked. */
int gate_init(void (*on_orphan)(void)); /* 0 or -errno: without the mark only announced forks are noticed */

/* Returns false if the caller is inside already, or in a child whose inherited state cannot be trusted; gate_leave() must not be called
   then. */
bool gate_enter(void);
/* The same, but it never waits for a fork that is under way, and never enters in a child that was not announced: the caller may hold a lock
   that the forking thread wants. */
bool gate_enter_now(void);
/* Whether forks that nobody announced are noticed. */
bool gate_marked(void);
/* Whether this is such a child: what other threads had under way in the parent will never end here. */
static inline bool gate_orphaned(void)
{
    return atomic_load_explicit(atomic_load_explicit(&gate_mark, memory_order_relaxed), memory_order_relaxed) == 0;
}
void gate_leave(void);
/* Whether somebody waits until all have left. */
bool gate_wanted(void);

/* Before fork; returns when the caller is alone. A caller that is inside (a signal handler that forks) cannot wait for itself: false,
   and the child is like one that nobody announced. */
bool gate_close(void);
/* Whether the calling thread has closed it. */
bool gate_is_mine(void);
/* Closes the gate for a short time although there is no fork. The calling thread must not use the engine meanwhile. */
bool gate_pause(void);
void gate_open(void);          /* after fork, in the parent; after a pause */
void gate_open_in_child(void); /* after fork, in the child */

#endif
