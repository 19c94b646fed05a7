/* SPDX-License-Identifier: MIT */
/* What we remember per thread: whether it is inside us (a memcpy in a signal handler must then be a plain one). */
#ifndef COWSHIM_BASE_THREAD_H
#define COWSHIM_BASE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

/* initial-exec: no call, no allocation, usable in signal handlers. The shim is always loaded at program start. */
#define THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))

struct thread {
    bool inside;
    bool owns_gate;   /* this thread is forking: it holds the gate alone */
    bool counted;     /* among the threads that have blocked their signals, or are about to (entry.c) */
    bool yields;      /* what it does can be broken off for those who wait (entry_wanted()) */
    uint64_t signals; /* the mask that it had before; set while it yields */
    int passing;      /* how many more small calls pass before one looks at the clock (engine_glance()) */
    uint64_t glanced; /* when the last one did */
    unsigned checked; /* what this operation need not look for again: files of ours (procfile_use_once()), holders (holders_held()) */
};

extern THREAD_LOCAL struct thread thread_self;

#endif
