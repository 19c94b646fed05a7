/* SPDX-License-Identifier: MIT */
#ifndef COWSHIM_COMMAND_PLACE_H
#define COWSHIM_COMMAND_PLACE_H

#include <limits.h>
#include <stdbool.h>

/* The folder that the executable is in, and the folder above that. False where /proc does not tell. */
bool place_executable(char folder[PATH_MAX], char above[PATH_MAX]);

#endif
