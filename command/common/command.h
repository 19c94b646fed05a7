/* SPDX-License-Identifier: MIT */
/* What the sub-commands share: the table, exit codes, messages. */
#ifndef COWSHIM_COMMAND_COMMAND_H
#define COWSHIM_COMMAND_COMMAND_H

#include <stdarg.h>
#include <sys/types.h>

/* Those of env(1) and timeout(1), so that a program's own exit code can be told from ours. */
enum command_exit {
    EXIT_USAGE = 125,      /* our command line is wrong, or we failed ourselves */
    EXIT_CANNOT_RUN = 126, /* program or library is there, but cannot be used */
    EXIT_NOT_FOUND = 127,  /* program or library is not there */
};

struct command {
    const char *name;
    const char *help;
    /* argv[0] is "cowshim NAME", as getopt(3) shall print it. Returns the exit code. NULL: it is in the tools. */
    int (*function)(int argc, char **argv);
};

#define COMMAND(name, place, help) int command_##name(int argc, char **argv);
#include "command/common/commands.def"
#undef COMMAND

/* What a program of ours does before and after all else. command_end() returns the exit code. */
void command_begin(void);
int command_end(int code);
int command_call(const struct command *command, int argc, char **argv);
/* Becomes the program that has the sub-command, with the arguments behind argv[0]. Returns an exit code after a message. */
int tools_become(const char *name, char **argv);

/* A process id as typed; -1 and a message when it is none. */
pid_t command_parse_pid(const char *text);

/* The text on the heap, or NULL when there is no memory. */
char *message_text(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
/* "cowshim: error: text" on stderr, as one write. */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_hush_warnings(void);
/* The last line of a usage error; returns EXIT_USAGE. */
int message_usage(const char *command);

#endif
