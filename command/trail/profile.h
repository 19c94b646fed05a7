/* SPDX-License-Identifier: MIT */
/* Runs a program under observation and says what was seen. */
#ifndef COWSHIM_COMMAND_PROFILE_H
#define COWSHIM_COMMAND_PROFILE_H

#include <stdbool.h>

/* apply: the shim is at work too. output: a path that ends in .html, .json or .txt; NULL: text on stderr. Returns the exit code:
   that of the program, or ours after a message. */
int profile_run(char **argv, bool apply, const char *output);
/* Only observes, and says on stderr besides what the verdict is, how to turn the shim on, and where the page is. */
int profile_try(char **argv, const char *output);

#endif
