/* SPDX-License-Identifier: MIT */
/* A small file of ours that others may read: a memfd that is mapped MAP_SHARED here. The kernel's file seals keep everybody else from
   writing to it, cutting it short or giving its pages back (F_SEAL_FUTURE_WRITE, Linux 5.1; where that is missing there is no such
   file). Its memory is allocated before it is touched, because a page that the kernel cannot allocate at a write would be a SIGBUS.
   Sources: memfd_create(2), fcntl(2). */
#ifndef COWSHIM_KERNEL_EXPORTFILE_H
#define COWSHIM_KERNEL_EXPORTFILE_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/descriptor.h"

/* Opens a file of that size and allocates its first at_once bytes; both are rounded up to whole pages. 0 or -errno. */
int exportfile_open(const char *name, size_t size, size_t at_once, struct descriptor *file, uintptr_t *start);
int exportfile_extend(struct descriptor *file, uint64_t offset, size_t size);
void exportfile_close(struct descriptor *file, uintptr_t start, size_t size);

#endif
