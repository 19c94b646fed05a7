/* SPDX-License-Identifier: MIT */
/* Names for the addresses of a process that has ended, from the files that it had mapped. */
#ifndef COWSHIM_COMMAND_SYMBOLS_H
#define COWSHIM_COMMAND_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

struct symbols;

/* maps: its /proc/self/maps. NULL when nothing can be found out; the functions below take that. */
struct symbols *symbols_open(const char *maps);
void symbols_close(struct symbols *symbols);

/* What one address stands for; an inlined function is a frame of its own. */
struct frame {
    char *function; /* or NULL */
    char *file;     /* of the source, or NULL */
    int line;
    const char *module; /* path of the library or program, or NULL; lives as long as the symbols */
    bool artificial;    /* written by the compiler: an implicit copy constructor */
};

/* Called for each frame at a return address, innermost first; what the frame holds is the callback's to free. */
void symbols_at(struct symbols *symbols, uint64_t address, void (*each)(void *context, struct frame *frame), void *context);

#endif
