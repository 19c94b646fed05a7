/* SPDX-License-Identifier: MIT */
#include <langinfo.h>
#include <string.h>

#include "command/live/map_draw.h"
#include "command/common/size_text.h"
#include "command/common/wrap.h"

/* Of the 256 colours, those that can be told apart by most eyes, on dark and on light ground. */
static const int colours_of[CELL_KINDS] = {
    [CELL_HOLE] = 244, [CELL_SHARED] = 33, [CELL_SOLE] = 117, [CELL_PRIVATE] = 208, [CELL_DEAD] = 125};
static const char letters_of[CELL_KINDS] = {
    [CELL_HOLE] = '.', [CELL_SHARED] = '=', [CELL_SOLE] = '-', [CELL_PRIVATE] = '#', [CELL_DEAD] = 'x'};

#define WHERE (5 + 1 + 14 + 1 + 10 + 2) /* the column of what is said of an array */

struct style {
    FILE *out;
    bool colours, blocks;
};

/* The two kinds that most of the cell is; the second is CELL_KINDS when there is only one. In their fixed order. */
static void two_kinds(const struct picture_cell *cell, enum cell_kind *low, enum cell_kind *high)
{
    int best = 0, second = -1;

    for (int kind = 1; kind < CELL_KINDS; kind++)
        if (cell->count[kind] > cell->count[best])
            best = kind;
    for (int kind = 0; kind < CELL_KINDS; kind++)
        if (kind != best && cell->count[kind] > 0 && (second < 0 || cell->count[kind] > cell->count[second]))
            second = kind;
    *low = (enum cell_kind)(second >= 0 && second < best ? second : best);
    *high = second < 0 ? CELL_KINDS : (enum cell_kind)(second < best ? best : second);
}

/* A mixed cell is filled from below with the later kind, as far as that goes. */
static void draw_coloured(const struct style *style, const struct picture_cell *cell)
{
    static const char *const eighths[] = {"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587"};
    enum cell_kind low, high;
    size_t part;

    two_kinds(cell, &low, &high);
    if (high == CELL_KINDS || !style->blocks) {
        if (high != CELL_KINDS && cell->count[high] > cell->count[low])
            low = high;
        fprintf(style->out, "\033[48;5;%dm \033[0m", colours_of[low]);
        return;
    }
    part = cell->count[high] * 8 / (cell->count[high] + cell->count[low]);
    part = part < 1 ? 1 : part > 7 ? 7 : part;
    fprintf(style->out, "\033[38;5;%d;48;5;%dm%s\033[0m", colours_of[high], colours_of[low], eighths[part - 1]);
}

static void draw_letter(const struct style *style, const struct picture_cell *cell)
{
    enum cell_kind low, high;

    two_kinds(cell, &low, &high);
    /* A page in twenty of the other kind is worth a sign. */
    if (high != CELL_KINDS && cell->count[low] * 20 >= cell->pages && cell->count[high] * 20 >= cell->pages)
        putc('+', style->out);
    else
        putc(letters_of[high != CELL_KINDS && cell->count[high] > cell->count[low] ? high : low], style->out);
}

static void draw_legend(const struct style *style)
{
    for (int kind = 0; kind < CELL_KINDS; kind++) {
        if (style->colours)
            fprintf(style->out, "\033[48;5;%dm  \033[0m ", colours_of[kind]);
        else
            fprintf(style->out, "%c ", letters_of[kind]);
        fprintf(style->out, "%s%s", map_kinds[kind], kind == CELL_KINDS - 1 ? "" : "  ");
    }
    fputs(style->colours ? "\n" : "  + mixed\n", style->out);
}

static size_t unit_of(const struct row *row)
{
    return row->cell_count == 0 ? 0 : (row->pages + row->cell_count - 1) / row->cell_count;
}

static void draw_row(const struct picture *picture, const struct row *row, const struct style *style, size_t cells)
{
    const struct picture_cell whole = {.first = 0, .pages = row->pages};
    char size[SIZE_TEXT], text[PARTNERS_TEXT], label[32];
    size_t shared = row->count[CELL_SHARED];

    snprintf(label, sizeof label, "%c%u", row->array != NULL ? '#' : 's', row->number);
    fprintf(style->out, "%-5s %9s %3.0f%% ", label, size_text((int64_t)(row->pages * picture->scene->page_size), size),
            100 * (double)shared / (double)row->pages);
    for (size_t i = 0; i < row->cell_count; i++)
        (style->colours ? draw_coloured : draw_letter)(style, &row->cells[i]);
    picture_partners(picture, row, &whole, 2, text);
    if (*text != '\0')
        fprintf(style->out, "%*s %.5s%.*s", (int)(cells - row->cell_count), "", row->array != NULL ? "with " : "by ",
                (int)MAP_PARTNERS - (row->array != NULL ? 6 : 4), text);
    putc('\n', style->out);
}

static void put_origin(const struct picture *picture, const struct array *array, const char *maps, FILE *out)
{
    unsigned from = array->copied_from == 0 ? 0 : picture_array_at(picture, array->copied_from);
    char place[PLACE_TEXT], source[32];

    if (array->copied_from == 0) {
        fputs("not copied into\n", out);
        return;
    }
    snprintf(source, sizeof source, "#%u", from);
    wrap_format(out, WHERE, WHERE, "copied from %s by %s", from != 0 ? source : "an array that is no more",
                picture_place(maps, array->copied_by, place));
}

void map_list_arrays(const struct picture *picture, FILE *out, const char *maps)
{
    fputs("\nwhich allocation each is\n", out);
    for (size_t i = 0; i < picture->row_count; i++) {
        const struct array *array = picture->rows[i].array;
        char size[SIZE_TEXT];

        if (array == NULL)
            continue;
        fprintf(out, "#%-4u 0x%012lx %10s  ", picture->rows[i].number, (unsigned long)array->start, size_text((int64_t)array->size, size));
        put_origin(picture, array, maps, out);
    }
}

void map_draw_terminal(const struct picture *picture, FILE *out, unsigned width, bool colours)
{
    struct style style = {out, colours, strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
    size_t cells = width - MAP_LABEL - MAP_PARTNERS;
    size_t largest = 0;
    char title[200], size[SIZE_TEXT];
    bool stores = false;

    map_title(picture->member, title);
    wrap_print(out, 0, 2, title);
    draw_legend(&style);
    fputc('\n', out);
    for (size_t i = 0; i < picture->row_count; i++) {
        const struct row *row = &picture->rows[i];

        if (row->array == NULL && !stores) {
            fputs("\nstores, and how much of each is shown more than once\n", out);
            stores = true;
        }
        draw_row(picture, row, &style, cells);
        if (unit_of(row) > largest)
            largest = unit_of(row);
    }
    if (picture->arrays_left_out > 0)
        fprintf(out, "(%zu smaller arrays are left out)\n", picture->arrays_left_out);
    fprintf(out, "\na cell is up to %s; rows are as long as their arrays\n",
            size_text((int64_t)(largest * picture->scene->page_size), size));
}
