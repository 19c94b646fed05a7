/* SPDX-License-Identifier: MIT */
/* What the kernel says is mapped at an address: PROCMAP_QUERY on /proc/self/maps (Linux 6.11, Documentation/filesystems/proc.rst;
   0.55 us a call). Used to check before we map over something. */
#ifndef COWSHIM_KERNEL_VMA_H
#define COWSHIM_KERNEL_VMA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct vma {
    uintptr_t start, end;
    bool readable, writable, executable, shared;
    uint64_t offset; /* of start, in its file */
    dev_t device;
    ino_t inode; /* 0: anonymous */
};

/* COWSHIM_INTERNAL=vma-off pretends an old kernel. */
void vma_init(void);
bool vma_available(void);
/* Whether malloc's memory, too, must be looked up before it is replaced where that takes long (before Linux 6.11). It must once some of it
   may be in huge pages of hugetlbfs, of which the kernel drops more than it is told to. */
void vma_note_hugetlb(void);
bool vma_must_ask(void);
/* 0; -ENOENT when nothing is mapped there; another -errno. */
int vma_query(uintptr_t address, struct vma *vma);

#endif
