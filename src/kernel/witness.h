/* SPDX-License-Identifier: MIT */
/* Tells whether the process was copied by a clone that nobody announced (an instruction of the program's own, not a call of libc):
   the copy shows our stores, and we would not know. A file of ours is locked through an open file description that every copy
   inherits with the descriptor table; when we let go of it and the lock is still there, somebody else has it (flock(2)).
   A copy that has closed the descriptor, or has executed another program, is not seen; the latter has no mappings either. */
#ifndef COWSHIM_KERNEL_WITNESS_H
#define COWSHIM_KERNEL_WITNESS_H

#include <stdbool.h>

/* Before the first store: copies are noticed from here on. Idempotent and cheap. */
void witness_begin(void);
/* True if there is such a copy, or if it cannot be told. Copies before the beginning, the
   last call or renewal are not meant. */
bool witness_copied(void);
/* After an announced fork, in parent and child: what was copied then is known. */
void witness_renew(void);
/* In a child that nobody announced: it holds on to what it inherited, for that is how the parent learns of it. */
void witness_keep(void);

#endif
