/* SPDX-License-Identifier: MIT */
/* Tells whether another process has what this one had at some moment, because one was copied from the other since, announced or not
   (a clone by an instruction of the program's own). A witness is a private page that is written once and never touched again: it is
   mapped here alone (pagemap bit 56, Linux 4.2) unless a process that was copied with it lives and has executed no other program;
   whatever that process did with its descriptors. No signal, thread or pipe that a program could see. Source:
   Documentation/admin-guide/mm/pagemap.rst. */
#ifndef COWSHIM_KERNEL_WITNESS_H
#define COWSHIM_KERNEL_WITNESS_H

#include <stdint.h>

struct witness {
    uintptr_t page; /* 0: none */
};

enum witness_says {
    WITNESS_ALONE,
    WITNESS_COPIED, /* another process has it as well */
    WITNESS_SILENT, /* it cannot be told: the page was swapped out, or the kernel did not answer */
};

int witness_begin(struct witness *witness); /* 0 or -errno */
enum witness_says witness_ask(const struct witness *witness);
/* From now on this process does not count as one that has it. Takes no lock. */
void witness_end(struct witness *witness);

#endif
