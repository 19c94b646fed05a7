/* SPDX-License-Identifier: MIT */
/* Files below /proc/self that are kept open. They speak of the process that opened them: after a fork they are opened anew. */
#ifndef COWSHIM_KERNEL_PROCFILE_H
#define COWSHIM_KERNEL_PROCFILE_H

enum procfile { PROCFILE_PAGEMAP, PROCFILE_MAPS, PROCFILE_STATUS, PROCFILE_COUNT };

/* An open descriptor, or -errno (no /proc, not dumpable, no descriptor left). */
int procfile_use(enum procfile which);
void procfile_after_fork(void);

#endif
