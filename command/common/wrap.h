/* SPDX-License-Identifier: MIT */
/* Text for terminals of 80 columns. */
#ifndef COWSHIM_COMMAND_WRAP_H
#define COWSHIM_COMMAND_WRAP_H

#include <stddef.h>
#include <stdio.h>

/* The words of a text, and the end of the line. The first stands at this column, where the caller has come to; lines that follow are
   indented. A word that is longer than a line is not broken: it may be a path. */
void wrap_print(FILE *out, size_t column, size_t indent, const char *text);
/* The same of a text that is made up. */
void wrap_format(FILE *out, size_t column, size_t indent, const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
