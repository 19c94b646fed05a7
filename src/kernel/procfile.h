/* SPDX-License-Identifier: MIT */
/* Files below /proc/self that are kept open. They speak of the process that opened them: after a fork they are opened anew. */
#ifndef COWSHIM_KERNEL_PROCFILE_H
#define COWSHIM_KERNEL_PROCFILE_H

#include <stdbool.h>

enum procfile { PROCFILE_PAGEMAP, PROCFILE_MAPS, PROCFILE_COUNT };

/* An open descriptor, or -errno (no /proc, not dumpable, no descriptor left). */
int procfile_use(enum procfile which);
/* The same, but it looks only once in an operation whether the number is ours still: for requests that fail on any other kind of file. */
int procfile_use_once(enum procfile which);
/* Calls visit() for each name in an open directory but those that begin with a dot, until it returns false. 0 or -errno. */
int procfile_names(int directory, bool (*visit)(const char *name, void *context), void *context);
void procfile_after_fork(void);

#endif
