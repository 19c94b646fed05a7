/* SPDX-License-Identifier: MIT */
#ifndef COWSHIM_COMMAND_MARKUP_H
#define COWSHIM_COMMAND_MARKUP_H

#include <stdbool.h>
#include <stdio.h>

/* Text of HTML or SVG. printable: what is not printable ASCII becomes a question mark, for text that others wrote. */
void markup_put(FILE *out, const char *text, bool printable);

#endif
