/* SPDX-License-Identifier: MIT */
/* Becoming a program under the shim. */
#ifndef COWSHIM_COMMAND_LAUNCH_H
#define COWSHIM_COMMAND_LAUNCH_H

/* Sets LD_PRELOAD and executes argv[0]. beside: another library of ours that is loaded with the shim, or NULL. A program that the
   shim cannot work in runs without it, after a warning. Returns only when it fails: the exit code, after a message. */
int launch(char **argv, const char *beside);

#endif
