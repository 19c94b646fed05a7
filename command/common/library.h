/* SPDX-License-Identifier: MIT */
/* Where libcowshim.so is, and what LD_PRELOAD must be for it. */
#ifndef COWSHIM_COMMAND_LIBRARY_H
#define COWSHIM_COMMAND_LIBRARY_H

/* 0 and its absolute path, to be freed; or an exit code, and a message was written. */
int library_find(char **path);
/* Puts the library in front of what LD_PRELOAD holds, once. 0, or an exit code, and a message was written. */
int library_preload(const char *path);
/* The entry of LD_PRELOAD that has to stay the first, or NULL; allocated. */
char *library_find_sanitizer(void);

#endif
