/* SPDX-License-Identifier: MIT */
/* Tells whether the process was copied by a clone that nobody announced (an instruction of the program's own, not a call of libc):
   the copy shows our stores, and we would not know. The witness is a private page that is written once and never touched again: it
   is mapped here alone (pagemap bit 56, Linux 4.2) unless a copy made since then lives and has executed no other program; whatever
   the copy does with its descriptors. Source: Documentation/admin-guide/mm/pagemap.rst. */
#ifndef COWSHIM_KERNEL_WITNESS_H
#define COWSHIM_KERNEL_WITNESS_H

#include <stdbool.h>

/* Before the first store: copies are noticed from here on. Idempotent and cheap. */
void witness_begin(void);
/* True if there is such a copy, or if it cannot be told. Copies before the beginning, the last renewal or the last call that said
   so are not meant. */
bool witness_copied(void);
/* After a fork, in parent and child: a witness of its own. Where the fork was announced the old one is given back; a parent that
   was not told has nothing but that page in the child to see it by. */
void witness_renew(bool announced);

#endif
