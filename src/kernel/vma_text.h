/* SPDX-License-Identifier: MIT */
/* The mappings of this process read as text, in rising order: /proc/self/maps, or smaps where what the program asked of the kernel
   for each (mlock, madvise, hugetlb) matters. Source: Documentation/filesystems/proc.rst. maps costs about a microsecond for each
   mapping on the way; smaps looks at every page of those as well. */
#ifndef COWSHIM_KERNEL_VMA_TEXT_H
#define COWSHIM_KERNEL_VMA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/vma.h"

enum vma_mark {
    VMA_LOCKED = 1,  /* lo */
    VMA_STACK = 2,   /* gd: the main stack */
    VMA_SPECIAL = 4, /* ht, io, pf, um, uw: hugetlb, devices, memory under another userfaultfd */
    VMA_KEPT = 8,    /* dc, dd, wf, mg: not for children or core dumps, merged */
};

struct vma_text {
    int fd;        /* smaps is opened for the reading; -1: /proc/self/maps, which is kept open */
    uint64_t next; /* offset in the file of the line that has not been read */
    size_t at, length;
    bool cut; /* the last line was longer than the buffer: what comes next is the rest of it */
    char text[2048];
};

/* 0 or -errno. */
int vma_text_begin(struct vma_text *text, bool with_marks);
/* The next mapping, and its enum vma_marks: 0, -ENOENT after the last one, or another -errno. */
int vma_text_next(struct vma_text *text, struct vma *vma, unsigned *marks);
void vma_text_end(struct vma_text *text);
/* Whether a mapping of this process shows any of [start, end) of the file. True also where that cannot be told. */
bool vma_text_shows(dev_t device, ino_t inode, uint64_t start, uint64_t end);

/* Looks up mappings by rising addresses: with PROCMAP_QUERY or, before Linux 6.11, in one pass over the text. */
struct vma_walk {
    bool any; /* vma is what was read last */
    struct vma vma;
    struct vma_text text;
};

void vma_walk_begin(struct vma_walk *walk);
/* The mapping at the address, which is not below that of the last call: 0, -ENOENT, or another -errno. */
int vma_walk_at(struct vma_walk *walk, uintptr_t address, struct vma *vma);

#endif
