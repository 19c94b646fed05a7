/* SPDX-License-Identifier: MIT */
/* Stops writers of a run of pages while its contents move into a store. Between stop_writers() and replaced() or cancel() no thread can
   change the run; readers go on. A thread that writes meanwhile sleeps, and then writes to what is mapped there afterwards.
   There are three variants, the best first: none (no other thread exists), userfaultfd (write_guard_uffd.c), mprotect
   (write_guard_mprotect.c). Different threads may guard different runs at the same time. */
#ifndef COWSHIM_KERNEL_WRITE_GUARD_H
#define COWSHIM_KERNEL_WRITE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

struct write_guard {
    const char *name;
    bool active;                                         /* false for the variant that need not do anything */
    int (*stop_writers)(uintptr_t start, uintptr_t end); /* 0; or -errno, and the run is not guarded */
    void (*replaced)(uintptr_t start, uintptr_t end);    /* something else is mapped over the run now */
    void (*cancel)(uintptr_t start, uintptr_t end);      /* the run stays what it was */
};

extern const struct write_guard write_guard_none, write_guard_uffd, write_guard_mprotect;

/* COWSHIM_INTERNAL=guard-always (also without threads), uffd-off, uffd-one-mapping, mprotect-off. */
void write_guard_init(void);
/* The guard for a process with that many threads, or NULL: decline. */
const struct write_guard *write_guard_pick(unsigned threads);
/* The same for private mappings of files, which userfaultfd does not know. */
const struct write_guard *write_guard_pick_for_files(unsigned threads);
/* A process that is no thread of ours shares our memory from now on. Its writes have to be stopped whatever the number of our threads
   is, and without the SIGSEGV handler, for it has signal handlers of its own. */
void write_guard_company(void);
void write_guard_after_fork(void);
/* To be called after an operation: removes the SIGSEGV handler of the mprotect variant once nobody has needed it for a while. */
void write_guard_rest(void);
/* Removes it now. */
void write_guard_end(void);

void uffd_init(void);
int uffd_probe(void); /* 0 or -errno */
void uffd_after_fork(void);

/* For the shim's sigaction(). While our SIGSEGV handler is installed the program's own is kept here, and the program sees and changes that
   one: true, and *result is what sigaction() returns. False: none of ours is installed. */
struct sigaction;
bool guard_sigaction(const struct sigaction *act, struct sigaction *old, int *result);

#endif
