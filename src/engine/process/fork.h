/* SPDX-License-Identifier: MIT */
#ifndef COWSHIM_ENGINE_FORK_H
#define COWSHIM_ENGINE_FORK_H

/* Makes the state of a child, announced or not, its own; nobody else runs in it. */
void fork_adopt(void);

#endif
