/* SPDX-License-Identifier: MIT */
/* Finds programs as execvp(3) does, so that the program can be looked at before it runs. */
#ifndef COWSHIM_COMMAND_PROGRAM_H
#define COWSHIM_COMMAND_PROGRAM_H

/* 0 and the path, to be freed. Or what execvp() would fail with: -ENOENT, -EACCES and the like. */
int program_find(const char *name, char **path);
/* Returns only when it fails, with the exit code, after a message. name is what the user typed. */
int program_execute(const char *name, const char *path, char **argv);

#endif
