/* SPDX-License-Identifier: MIT */
/* Small calls as occasions to give back what nobody sees: the program may make no large one for long. */
#ifndef COWSHIM_ENGINE_GLANCE_H
#define COWSHIM_ENGINE_GLANCE_H

/* To be called where stores may have grown or shrunk: tells the shim (engine_watch()) to let small calls look, or to leave that. */
void glance_at_stores(void);

#endif
