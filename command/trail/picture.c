/* SPDX-License-Identifier: MIT */
#include "command/trail/picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MOST 2000
#define CELLS_LEAST 6

static unsigned times_shown(const struct picture *picture, const struct scene_view *view, uintptr_t address)
{
    const struct scene_store *store = &picture->scene->stores[view->store];
    size_t page = (view->offset + (address - view->start)) / picture->scene->page_size;

    return page < store->pages ? store->shown[page] : 0;
}

static void count_page(struct picture_cell *cell, enum cell_kind kind, unsigned shown)
{
    cell->count[kind]++;
    if (shown == 0)
        return;
    if (cell->least == 0 || shown < cell->least)
        cell->least = shown;
    if (shown > cell->most)
        cell->most = shown;
}

static void fill_array_cell(const struct picture *picture, const struct array *array, struct picture_cell *cell)
{
    size_t page_size = picture->scene->page_size;
    const struct scene_view *view = NULL;

    for (size_t page = cell->first; page < cell->first + cell->pages; page++) {
        uintptr_t address = array->start + page * page_size;
        unsigned shown = 0;

        if (array->state[page] == PAGE_SHOWN) {
            if (view == NULL || address >= view->end)
                view = scene_view_at(picture->member, address);
            shown = view == NULL ? 0 : times_shown(picture, view, address);
            count_page(cell, shown > 1 ? CELL_SHARED : CELL_SOLE, shown);
        } else {
            count_page(cell, array->state[page] == PAGE_HOLE ? CELL_HOLE : CELL_PRIVATE, 0);
        }
    }
}

static void fill_store_cell(const struct scene_store *store, struct picture_cell *cell)
{
    for (size_t page = cell->first; page < cell->first + cell->pages; page++) {
        unsigned shown = store->shown[page];

        if (!store->there[page])
            count_page(cell, CELL_HOLE, 0);
        else
            count_page(cell, shown == 0 ? CELL_DEAD : shown == 1 ? CELL_SOLE : CELL_SHARED, shown);
    }
}

static bool fill_row(const struct picture *picture, struct row *row, size_t longest, size_t cells)
{
    size_t count = row->pages * cells / longest;

    if (count < CELLS_LEAST)
        count = CELLS_LEAST;
    if (count > row->pages)
        count = row->pages;
    row->cells = calloc(count + 1, sizeof *row->cells);
    if (row->cells == NULL)
        return false;
    row->cell_count = count;
    for (size_t i = 0; i < count; i++) {
        struct picture_cell *cell = &row->cells[i];

        cell->first = row->pages * i / count;
        cell->pages = row->pages * (i + 1) / count - cell->first;
        if (row->array != NULL)
            fill_array_cell(picture, row->array, cell);
        else
            fill_store_cell(row->store, cell);
        for (int kind = 0; kind < CELL_KINDS; kind++)
            row->count[kind] += cell->count[kind];
    }
    return true;
}

static int larger_first(const void *a, const void *b)
{
    size_t one = (*(const struct array *const *)a)->pages;
    size_t other = (*(const struct array *const *)b)->pages;

    return (one < other) - (one > other);
}

/* The size from which arrays are drawn, so that there are not too many. */
static size_t smallest_drawn(const struct member *member)
{
    const struct array **list;
    size_t smallest = 1;

    if (member->array_count <= ROWS_MOST)
        return smallest;
    list = calloc(member->array_count, sizeof *list);
    if (list == NULL)
        return smallest;
    for (size_t i = 0; i < member->array_count; i++)
        list[i] = &member->arrays[i];
    qsort(list, member->array_count, sizeof *list, larger_first);
    smallest = list[ROWS_MOST - 1]->pages;
    free(list);
    return smallest;
}

static void list_rows(struct picture *picture)
{
    const struct member *member = picture->member;
    size_t smallest = smallest_drawn(member);

    for (size_t i = 0; i < member->array_count; i++) {
        const struct array *array = &member->arrays[i];

        if (array->pages < smallest || picture->row_count == ROWS_MOST)
            picture->arrays_left_out++;
        else
            picture->rows[picture->row_count++] = (struct row){.array = array, .number = (unsigned)i + 1, .pages = array->pages};
    }
    for (size_t i = 0; i < member->store_count; i++) {
        const struct scene_store *store = &picture->scene->stores[member->stores[i]];

        picture->rows[picture->row_count++] = (struct row){.store = store, .number = (unsigned)i + 1, .pages = store->pages};
    }
}

bool picture_make(struct picture *picture, const struct scene *scene, const struct member *member, size_t cells)
{
    size_t longest = 1;
    bool made = true;

    memset(picture, 0, sizeof *picture);
    picture->scene = scene;
    picture->member = member;
    picture->rows = calloc(member->array_count + member->store_count + 1, sizeof *picture->rows);
    if (picture->rows == NULL)
        return false;
    list_rows(picture);
    for (size_t i = 0; i < picture->row_count; i++)
        if (picture->rows[i].pages > longest)
            longest = picture->rows[i].pages;
    for (size_t i = 0; i < picture->row_count && made; i++) {
        struct row *row = &picture->rows[i];

        made = fill_row(picture, row, longest, cells);
        for (int kind = 0; kind < CELL_KINDS && row->array != NULL; kind++)
            picture->count[kind] += row->count[kind];
    }
    return made;
}

void picture_end(struct picture *picture)
{
    for (size_t i = 0; i < picture->row_count; i++)
        free(picture->rows[i].cells);
    free(picture->rows);
    memset(picture, 0, sizeof *picture);
}

static int compare_array(const void *address, const void *array)
{
    const struct array *at = array;

    if (*(const uintptr_t *)address < at->start)
        return -1;
    return *(const uintptr_t *)address - at->start >= at->size;
}

static unsigned number_at(const struct member *member, uintptr_t address)
{
    const struct array *found = bsearch(&address, member->arrays, member->array_count, sizeof *member->arrays, compare_array);

    return found == NULL ? 0 : (unsigned)(found - member->arrays) + 1;
}

unsigned picture_array_at(const struct picture *picture, uintptr_t address)
{
    return number_at(picture->member, address);
}

/* The pages of a store that a row shows in a cell, as far as one view goes. */
struct range {
    unsigned store;
    uint64_t from, to;
};

/* Whether the view shows a page of the range that was not rewritten there. What no array tells of, another process's, is taken as shown. */
static bool shows_any(const struct picture *picture, const struct member *member, const struct scene_view *view, const struct range *range)
{
    size_t page_size = picture->scene->page_size;
    uint64_t from = range->from > view->offset ? range->from : view->offset;
    uint64_t end = view->offset + (view->end - view->start);
    uint64_t to = range->to < end ? range->to : end;
    unsigned number = from < to ? number_at(member, view->start + (from - view->offset)) : 0;
    const struct array *array = number == 0 ? NULL : &member->arrays[number - 1];

    for (; from < to; from += page_size) {
        uintptr_t address = view->start + (from - view->offset);

        if (array == NULL || (address - array->start) / page_size >= array->pages ||
            array->state[(address - array->start) / page_size] == PAGE_SHOWN)
            return true;
    }
    return false;
}

struct partners {
    const struct picture *picture;
    const struct array *self;
    char *text;
    size_t used;
    unsigned most, named, more;
    unsigned last; /* arrays come in rising order, several views of one behind each other */
};

static void name_partner(struct partners *partners, const char *what, unsigned number)
{
    if (partners->named >= partners->most) {
        partners->more++;
        return;
    }
    partners->used +=
        (size_t)snprintf(partners->text + partners->used, PARTNERS_TEXT - partners->used, "%s", partners->named > 0 ? ", " : "");
    partners->used += (size_t)snprintf(partners->text + partners->used, PARTNERS_TEXT - partners->used, "%s%u", what, number);
    partners->named++;
}

static void find_in_member(struct partners *partners, const struct member *member, const struct range *ranges, size_t count)
{
    bool own = member == partners->picture->member;

    partners->last = 0;
    for (size_t i = 0; i < member->view_count; i++) {
        const struct scene_view *view = &member->views[i];
        unsigned number = own ? number_at(member, view->start) : 0;
        bool shows = false;

        if (own && (number == 0 || number == partners->last || &member->arrays[number - 1] == partners->self))
            continue;
        for (size_t r = 0; r < count && !shows; r++)
            shows = view->store == ranges[r].store && shows_any(partners->picture, member, view, &ranges[r]);
        if (!shows)
            continue;
        partners->last = number;
        name_partner(partners, own ? "#" : "pid ", own ? number : (unsigned)member->process.pid);
        if (!own)
            return;
    }
}

#define RANGES 16

static size_t ranges_of(const struct picture *picture, const struct row *row, const struct picture_cell *cell, struct range ranges[RANGES])
{
    size_t page_size = picture->scene->page_size;
    size_t count = 0;

    if (row->array == NULL) {
        ranges[0] = (struct range){(unsigned)(row->store - picture->scene->stores), cell->first * page_size,
                                   (cell->first + cell->pages) * page_size};
        return 1;
    }
    for (size_t page = cell->first; page < cell->first + cell->pages; page++) {
        uintptr_t address = row->array->start + page * page_size;
        const struct scene_view *view;
        uint64_t offset;

        if (row->array->state[page] != PAGE_SHOWN || (view = scene_view_at(picture->member, address)) == NULL)
            continue;
        offset = view->offset + (address - view->start);
        if (count > 0 && ranges[count - 1].store == view->store && ranges[count - 1].to == offset)
            ranges[count - 1].to += page_size;
        else if (count < RANGES)
            ranges[count++] = (struct range){view->store, offset, offset + page_size};
    }
    return count;
}

const char *picture_partners(const struct picture *picture, const struct row *row, const struct picture_cell *cell, unsigned most,
                             char text[PARTNERS_TEXT])
{
    struct range ranges[RANGES];
    struct partners partners = {picture, row->array, text, 0, most, 0, 0, 0};
    size_t count = ranges_of(picture, row, cell, ranges);

    *text = '\0';
    for (size_t m = 0; count > 0 && m < picture->scene->member_count; m++)
        find_in_member(&partners, &picture->scene->members[m], ranges, count);
    if (partners.more > 0)
        snprintf(text + partners.used, PARTNERS_TEXT - partners.used, " +%u", partners.more);
    return text;
}

/* The end of a line's path, from the last slash on: "libfoo.so". NULL for what is no file. */
static const char *base_of(const char *line, int *length)
{
    const char *end = line + strcspn(line, "\n");
    const char *slash = memrchr(line, '/', (size_t)(end - line));

    if (slash == NULL)
        return NULL;
    *length = (int)(end - slash - 1);
    return slash + 1;
}

const char *picture_place(const char *maps, uintptr_t address, char text[PLACE_TEXT])
{
    snprintf(text, PLACE_TEXT, "0x%lx", (unsigned long)address);
    while (maps != NULL && *maps != '\0') {
        char *rest;
        unsigned long start = strtoul(maps, &rest, 16);
        unsigned long end = *rest == '-' ? strtoul(rest + 1, &rest, 16) : 0;
        int length;
        const char *name = address >= start && address < end ? base_of(maps, &length) : NULL;

        if (name != NULL && strlen(rest) > 6) {
            unsigned long offset = strtoul(rest + 6, NULL, 16); /* behind " r-xp " */

            snprintf(text, PLACE_TEXT, "%.*s+0x%lx", length, name, address - start + offset);
            break;
        }
        maps = strchr(maps, '\n');
        maps = maps == NULL ? NULL : maps + 1;
    }
    return text;
}
