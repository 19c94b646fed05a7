/* SPDX-License-Identifier: MIT */
/* Who else can hold or fill memory of this process. A page that a device holds must stay where it is, and one that the kernel is about
   to write must not be replaced meanwhile. VmPin shows io_uring's fixed buffers and RDMA; nothing shows a driver's own pins (NVIDIA's,
   AF_XDP's, VFIO's but for VmLck), reads that are under way, or a pager behind a userfaultfd. What every one of them needs is a
   descriptor, or a call that the shim stands in front of. So the descriptors are looked at, again whenever one may have come or gone:
   when the lowest number that was free is not any more, when the shim saw one go, and by and by in any case. */
#ifndef COWSHIM_KERNEL_HOLDERS_H
#define COWSHIM_KERNEL_HOLDERS_H

#include <stdbool.h>

enum holder {
    HOLDER_RING = 1,   /* io_uring, AIO, O_DIRECT: reads that are under way end in memory that was looked up before, or inside of
                          whatever system call of ours is the next. Another process that may write to our memory is one, too */
    HOLDER_PAGER = 2,  /* a userfaultfd that is not ours: holes are not zero, and writes may be watched */
    HOLDER_DEVICE = 4, /* a driver that may keep physical pages of memory that the program told it of */
    HOLDER_READER = 8, /* a pipe that pages were spliced into, or a socket that sends without copying: pages may be read long after the
                          program gave their memory back. Their contents must stay, the mapping need not */
};

struct holders {
    unsigned threads; /* 1, or 2 for any more; the kernel's own workers for the process are among them */
    unsigned held;    /* enum holders */
};

/* COWSHIM_INTERNAL=held=N: as if enum holders N were there. */
void holders_init(void);
/* Two system calls, when nothing changed. 0 or -errno: nobody could look, and memory may be held. -EMFILE or -ENFILE where the program has
   opened all that it may. */
int holders_look(struct holders *holders);
/* Only who holds memory. No system call where this operation has looked before and no other thread can have changed the answer. */
int holders_held(unsigned *held);
/* The same without a system call, as of the last look or note. */
unsigned holders_known(void);
/* The program is about to make such a descriptor. This is never taken back, because what it stands for may outlive it. */
void holders_note(unsigned held);
/* A descriptor may have been replaced by another one. */
void holders_change(void);
/* After a fork, in the child: rings and devices stay with the parent, but a pager may have come along (UFFD_FEATURE_EVENT_FORK), and
   what the parent has sent may lie in pages that are the child's alone one day. */
void holders_after_fork(void);

#endif
