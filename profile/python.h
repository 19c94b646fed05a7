/* SPDX-License-Identifier: MIT */
/* Where the Python interpreter is, if this process is one: by the functions that its own faulthandler uses, which need no lock of
   the interpreter, allocate nothing, and write to a descriptor. We stand in front of write(2) and keep what they say. */
#ifndef COWSHIM_PROFILE_PYTHON_H
#define COWSHIM_PROFILE_PYTHON_H

#include <stddef.h>

/* Looks for the interpreter; again when libraries were loaded. Not under any lock. */
void python_find(void);
/* The traceback of the calling thread, innermost first, as faulthandler prints it; not terminated. Returns its length, 0: none. */
size_t python_traceback(char *text, size_t size);

#endif
