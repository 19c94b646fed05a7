/* SPDX-License-Identifier: MIT */
/* The picture of `cowshim map`: each array and each store is a row of cells, and a cell is one page or many. */
#ifndef COWSHIM_COMMAND_PICTURE_H
#define COWSHIM_COMMAND_PICTURE_H

#include "command/live/scene.h"

enum cell_kind {
    CELL_HOLE,    /* no memory: reads as zero, or was given back */
    CELL_SHARED,  /* a store page that is shown more than once */
    CELL_SOLE,    /* a store page that is shown here alone */
    CELL_PRIVATE, /* a page of the array's own */
    CELL_DEAD,    /* a store page that nobody shows */
    CELL_KINDS
};

struct picture_cell {
    size_t first, pages; /* in the array or store */
    size_t count[CELL_KINDS];
    unsigned least, most; /* how often its shown pages are shown */
};

struct row {
    const struct array *array; /* or NULL: a store */
    const struct scene_store *store;
    unsigned number; /* from 1, of all arrays or all stores */
    size_t pages;
    struct picture_cell *cells;
    size_t cell_count;
    size_t count[CELL_KINDS];
};

struct picture {
    const struct scene *scene;
    const struct member *member;
    struct row *rows; /* arrays by address, then stores */
    size_t row_count;
    size_t arrays_left_out;   /* the smallest, when there are too many */
    size_t count[CELL_KINDS]; /* of all arrays */
};

/* The longest row has that many cells, the others as their size is. False: no memory. */
bool picture_make(struct picture *picture, const struct scene *scene, const struct member *member, size_t cells);
void picture_end(struct picture *picture);

/* "#1, #2 and 5 more; pid 77": who else shows these pages. Empty when nobody does. */
#define PARTNERS_TEXT 120
const char *picture_partners(const struct picture *picture, const struct row *row, const struct picture_cell *cell, unsigned most,
                             char text[PARTNERS_TEXT]);
/* The number of the array that an address is in, or 0. */
unsigned picture_array_at(const struct picture *picture, uintptr_t address);
/* "libfoo.so+0x123": a place in the program, read from its maps as text. */
#define PLACE_TEXT 96
const char *picture_place(const char *maps, uintptr_t address, char text[PLACE_TEXT]);

#endif
