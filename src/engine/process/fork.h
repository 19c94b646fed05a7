/* SPDX-License-Identifier: MIT */
#ifndef COWSHIM_ENGINE_FORK_H
#define COWSHIM_ENGINE_FORK_H

/* Forks that nobody announced are noticed from now on, where the kernel can. */
void fork_start(void);

#endif
