/* SPDX-License-Identifier: MIT */
/* The gate between the engine and fork. Every operation of the engine passes it; a fork waits until all have left and keeps
   others out until it is done, so that a child never inherits a half-made state. Below all locks: taken before any of them.
   Works with forks that nobody announced (raw clone, _Fork): gate_enter() notices that it is in a child by memory that the
   kernel wipes there (MADV_WIPEONFORK, Linux 4.14). */
#ifndef COWSHIM_BASE_GATE_H
#define COWSHIM_BASE_GATE_H

#include <stdbool.h>

/* on_orphan runs in an unannounced child, once, if nobody was inside when it was forked. */
int gate_init(void (*on_orphan)(void)); /* 0 or -errno: without the mark only announced forks are noticed */

/* False: the caller is inside already, or in a child whose inherited state cannot be trusted. Nothing to leave then. */
bool gate_enter(void);
/* Whether this is such a child: what other threads had under way in the parent will never end here. */
bool gate_orphaned(void);
void gate_leave(void);

/* Before fork; returns when the caller is alone. A caller that is inside (a signal handler that forks) cannot wait for itself: false,
   and the child is like one that nobody announced. */
bool gate_close(void);
void gate_open(void);          /* after fork, in the parent */
void gate_open_in_child(void); /* after fork, in the child */

#endif
