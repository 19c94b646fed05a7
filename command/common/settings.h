/* SPDX-License-Identifier: MIT */
/* The variables of base/config.def as options of the command line: COWSHIM_MIN_SIZE is --min-size. For every
   sub-command that starts a program. */
#ifndef COWSHIM_COMMAND_SETTINGS_H
#define COWSHIM_COMMAND_SETTINGS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/config.h"

/* What getopt_long() returns for the n-th variable is SETTINGS_FIRST + n: above every character. */
enum { SETTINGS_FIRST = 256 };

/* Fills in CONFIG_COUNT entries. */
void settings_add_options(struct option options[CONFIG_COUNT]);
/* Checks a value (NULL: the option stood alone) and sets the variable for the program to come. False: a message was
   written. */
bool settings_apply(unsigned index, const char *text);
/* COWSHIM_LOG of the environment, settings_apply() included, asks for errors only. */
bool settings_quiet(void);
void settings_print_help(void);
/* One option in the form of the help: its name with its kind of value, then indented text, wrapped. */
void settings_print_option(const char *name, const char *text);

#endif
