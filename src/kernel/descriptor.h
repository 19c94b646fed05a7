/* SPDX-License-Identifier: MIT */
/* Descriptors of ours in the program's table: moved to high numbers so that the program's own lowest free numbers stay what
   they would be, close-on-exec, and checked before use, because the program may have closed them behind our back.
   The shim's close(), dup2() and the like ask descriptor_is_ours(). Thread-safe (atomic slots, no lock). */
#ifndef COWSHIM_KERNEL_DESCRIPTOR_H
#define COWSHIM_KERNEL_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct descriptor {
    int fd; /* -1: none */
    dev_t device;
    ino_t inode;
};

#define DESCRIPTOR_NONE \
    { \
        -1, 0, 0 \
    }

void descriptor_init(void);

/* Takes over an open descriptor and moves it up: 0, or -errno and the descriptor is closed. Not in a vfork child. */
int descriptor_adopt(struct descriptor *descriptor, int fd);
/* The number, or -EBADF when it is not the file any more that it was (the program closed or replaced it). */
int descriptor_use(struct descriptor *descriptor);
/* Closes it if it is still ours. In a vfork child it stays as it is: the number is the parent's. */
void descriptor_drop(struct descriptor *descriptor);

bool descriptor_is_ours(int fd);
/* The lowest number of ours in [first, last], or -1. */
int descriptor_next(unsigned first, unsigned last);
/* The program wants this very number (dup2): ours moves elsewhere. 0 or -errno. The holder finds it by descriptor_use. */
int descriptor_yield(int fd);

unsigned descriptor_count(void);
/* While hidden, no descriptor is known as ours, because to find out takes system calls. */
void descriptor_hide(bool hide);

/* Whether the caller runs in the process that our state belongs to. In a vfork child it does not: the memory is the parent's, the
   descriptors are not, and nothing may be mapped. */
bool descriptor_in_own_process(void);
void descriptor_after_fork(void);

#endif
