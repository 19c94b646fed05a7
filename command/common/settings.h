/* SPDX-License-Identifier: MIT */
/* The variables of base/config.def as options of the command line: COWSHIM_MIN_SIZE is --min-size. For every
   sub-command that starts a program. */
#ifndef COWSHIM_COMMAND_SETTINGS_H
#define COWSHIM_COMMAND_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/config.h"

/* An option of a sub-command beside these: *value becomes its argument, or its name where it takes none. */
struct settings_option {
    const char *name;
    char letter; /* of its short form; 0: it has none */
    bool takes_argument;
    const char **value;
};

#define SETTINGS_OWN 2 /* options that a sub-command may have beside --help */

/* Reads the options of a sub-command that starts a program, checks those of the shim and sets their variables for the program to come.
   -1: the program stands at argv[optind]. Otherwise the exit code, after the help or a message. */
int settings_parse(int argc, char **argv, int (*help)(void), const struct settings_option *own, size_t count);
/* The options that were read, in the form in which they have to be typed, each with a blank before it. */
void settings_print_given(FILE *out, void (*print_word)(FILE *out, const char *word));
/* COWSHIM_LOG of the environment, settings_apply() included, asks for errors only. */
bool settings_quiet(void);
void settings_print_help(void);
/* One option in the form of the help: its name with its kind of value, then indented text, wrapped. */
void settings_print_option(const char *name, const char *text);

#endif
