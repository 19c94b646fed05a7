/* SPDX-License-Identifier: MIT */
#ifndef COWSHIM_ENGINE_FORK_H
#define COWSHIM_ENGINE_FORK_H

/* Makes the state of a child, announced or not, its own; nobody else runs in it. */
void fork_adopt(void);
/* The same for one that was not announced: the parent must be able to find out. */
void fork_adopt_orphan(void);

#endif
