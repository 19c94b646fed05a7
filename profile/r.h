/* SPDX-License-Identifier: MIT */
/* Which R functions are being evaluated, if this process is R: by the chain of contexts that R's own traceback() walks. libR exports
   where it begins (R_GlobalContext) and what reads a call, but not what a context is; r.c says what is relied on, and checks it. */
#ifndef COWSHIM_PROFILE_R_H
#define COWSHIM_PROFILE_R_H

#include <stddef.h>

/* Looks for R; again when libraries were loaded. Not under any lock. */
void r_find(void);
/* The functions of the calling thread, innermost first, a line "  R NAME" for each; not terminated. Returns the length, 0: none. */
size_t r_traceback(char *text, size_t size);

#endif
