/* SPDX-License-Identifier: MIT */
#ifndef COWSHIM_COMMAND_MAP_DRAW_H
#define COWSHIM_COMMAND_MAP_DRAW_H

#include <stdbool.h>
#include <stdio.h>

#include "command/trail/picture.h"

/* What each kind of cell is called in the legend. */
extern const char *const map_kinds[CELL_KINDS];
/* "python3 (77): 3 arrays, logical 1.0 GiB, cost 0.2 GiB, saved 0.8 GiB (80 %)" */
void map_title(const struct member *member, char text[200]);

/* width: columns of the terminal; 0 for a file. */
void map_draw_terminal(const struct picture *picture, FILE *out, unsigned width, bool colours);
#define MAP_LABEL 20u
#define MAP_PARTNERS 25u

/* maps: /proc/PID/maps as text, for names of places; or NULL. page: HTML around it. */
void map_list_arrays(const struct picture *picture, FILE *out, const char *maps);
void map_draw_svg(const struct picture *picture, FILE *out, const char *maps, bool page);

#endif
