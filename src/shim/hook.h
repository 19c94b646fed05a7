/* SPDX-License-Identifier: MIT */
/* What every hook needs: its declaration, and the few numbers that decide in one compare whether a call is any business of ours. */
#ifndef COWSHIM_SHIM_HOOK_H
#define COWSHIM_SHIM_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "base/next.h"
#include "base/thread.h"
#include "engine/engine.h"

#define HOOK __attribute__((visibility("default")))
/* Our own declarations, to be seen before those of libc: those promise that pointers are not null, and the compiler would drop
   checks that callers rely on. */
#define INTERPOSE(name, kind, family, result, parameters, arguments) HOOK result name parameters;
#include "base/hooks.def"

#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* SIZE_MAX until shim_start() has run, for ever with COWSHIM_MODE=off, and again once the program shut itself in (confine.c): then every
   call goes straight on.
   Atomic, because a constructor that ran before ours may have started threads: one that finds a size here must find all that
   shim_start() set up before it as well, on processors that do not keep stores in order, too. */
struct hot {
    _Atomic size_t min_copy, min_allocation; /* what passes by us at all: less than below while stores may have dead pages (start.c) */
    _Atomic size_t min_size;                 /* what may be shared, */
    _Atomic size_t min_observed;             /* what an observer wants to know of, */
    _Atomic size_t min_block;                /* and what becomes a block; SIZE_MAX with COWSHIM_MODE=registered */
    _Atomic size_t min_mapping;              /* with COWSHIM_SCOPE=anon */
    _Atomic uintptr_t start_mask;            /* an address that has none of these bits ENGINE_LEAD bytes later may be a block's start */
    _Atomic bool started;                    /* there may be blocks, also where no copy is looked at any more */
};

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

extern struct hot hot __attribute__((visibility("hidden")));

/* Blocks start at a page boundary or ENGINE_LEAD bytes before one, so that one bit less is looked at. */
#define START_MASK(unit) ((uintptr_t)(unit)-1 - ENGINE_LEAD)

/* Until then, and with COWSHIM_MODE=off, no pointer is a block; those of the bootstrap allocator must still be known. */
#define BOOTSTRAP_MASK START_MASK(65536)

/* No other pointer is one that the registry knows. */
#define MAY_BE_BLOCK(pointer) UNLIKELY((((uintptr_t)(pointer) + ENGINE_LEAD) & hot.start_mask) == 0)

/* A call came by that is too small for us: look, now and then, whether something is to be given back. */
static inline void glance(void)
{
    if (UNLIKELY(--thread_self.passing < 0))
        engine_glance();
}

/* alloc.c: a block of any size, for free(); NULL when there is no memory, or when it could not be written down. */
void *shim_allocate(size_t size);
/* Frees a pointer that MAY_BE_BLOCK if it is one. False: it is the next allocator's. */
bool shim_free_own(void *pointer);
/* memory_calls.c: whether an argument of a system call, of a page at most, can be read: if not, the call fails with EFAULT and needs
   nothing from us. */
bool memory_readable(const void *from, size_t size);
/* A memory call by number, made as by its name; false: it is another call. */
bool memory_syscall(long number, const long *arguments, long *result);
/* confine.c: likewise, of those by which a process gives up what it may do. */
bool confine_syscall(long number, const long *arguments, long *result);

/* process.c: registers the fork handlers. */
void process_start(void);

#endif
