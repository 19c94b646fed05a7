/* SPDX-License-Identifier: MIT */
/* A small file of ours that others may read: a memfd mapped MAP_SHARED here and sealed, so that nobody else writes to it, cuts it
   short or gives its pages back (F_SEAL_FUTURE_WRITE, Linux 5.1; where that is missing there is no such file). Memory in it is had
   before it is touched: a page that the kernel cannot find at a write would be a SIGBUS. Sources: memfd_create(2), fcntl(2). */
#ifndef COWSHIM_KERNEL_EXPORTFILE_H
#define COWSHIM_KERNEL_EXPORTFILE_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/descriptor.h"

/* Size and the bytes to have at once are whole pages, or are rounded up to that. 0 or -errno. */
int exportfile_open(const char *name, size_t size, size_t at_once, struct descriptor *file, uintptr_t *start);
int exportfile_extend(struct descriptor *file, uint64_t offset, size_t size);
void exportfile_close(struct descriptor *file, uintptr_t start, size_t size);

#endif
