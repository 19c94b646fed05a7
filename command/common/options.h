/* SPDX-License-Identifier: MIT */
/* getopt_long(3) with messages of our own form, which name the option that was likely meant. */
#ifndef COWSHIM_COMMAND_OPTIONS_H
#define COWSHIM_COMMAND_OPTIONS_H

#include <getopt.h>

/* As getopt_long(); '?' after a message. argv[0] is "cowshim NAME". The letters begin with ":" or "+:", by which a missing value is
   told from an unknown option. */
int options_next(int argc, char **argv, const char *letters, const struct option *options);

#endif
