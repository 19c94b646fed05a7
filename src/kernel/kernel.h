/* SPDX-License-Identifier: MIT */
/* The beginning of the room: all that has to be done at a start, at the first block and in a child, for all of its files at once. */
#ifndef COWSHIM_KERNEL_KERNEL_H
#define COWSHIM_KERNEL_KERNEL_H

/* At the start of the process; makes no system call that most processes could do without. */
void kernel_start(void);
/* Before the first block: learns what this kernel can do. */
void kernel_look(void);
/* In a child: what speaks of the parent's memory or descriptors is let go of, to be opened anew. */
void kernel_after_fork(void);

#endif
