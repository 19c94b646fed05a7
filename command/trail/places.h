/* SPDX-License-Identifier: MIT */
/* The stacks of a trail in words: the frames, and the one place in the program that a reader will want to look at. */
#ifndef COWSHIM_COMMAND_PLACES_H
#define COWSHIM_COMMAND_PLACES_H

#include <stdbool.h>

#include "command/trail/symbols.h"
#include "command/trail/trail.h"

struct place_words {
    char **frames; /* innermost first */
    unsigned count;
    char *where; /* "model.py:41 in train", "duplicate in libR.so"; never NULL */
    char *file;  /* or NULL */
    int line;
    char *function;       /* or NULL */
    char *via;            /* the line of a library that copies, where `where` is the program's that calls it; or NULL */
    const char *language; /* "python", "r", "native" */
};

/* By the number of a stack; that of 0 says that nothing is known. NULL: out of memory. */
struct place_words *places_read(const struct trail *trail, struct symbols *symbols);
void places_free(struct place_words *places, const struct trail *trail);
/* The line of the source, without white space around it; allocated; NULL when the file is not there. */
char *place_source(const struct place_words *place);

#endif
