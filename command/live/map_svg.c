/* SPDX-License-Identifier: MIT */
/* The picture as one file that needs nothing else: SVG with its own style for light and dark, a <title> for what the pointer is
   over, and for HTML a line at the bottom that shows the same at once. */
#include <stdlib.h>
#include <string.h>

#include "command/live/map_draw.h"
#include "command/trail/markup.h"
#include "command/common/size_text.h"

#define WIDTH 1100
#define LEFT 205
#define RIGHT 190
#define TOP 84
#define CELLS (WIDTH - LEFT - RIGHT)

struct drawing {
    const struct picture *picture;
    FILE *out;
    const char *maps;
    double height, step; /* of a row */
    bool small;
};

static const char *const classes[CELL_KINDS] = {"h", "s", "o", "p", "d"};

static const char style[] =
    "svg{--g:#fff;--t:#1d2733;--m:#5d6b7a;--h:#dfe4ea;--s:#2f7fc6;--o:#9cc9ee;--p:#ef8a2c;--d:#a3215b;"
    "font:12px system-ui,sans-serif;background:var(--g)}"
    "@media(prefers-color-scheme:dark){svg{--g:#12181f;--t:#e6ebf0;--m:#93a1b0;--h:#2b3540;--s:#3f8fd8;--o:#a9d3f3;--p:#f0913a;"
    "--d:#d0467f}}"
    "rect{shape-rendering:crispEdges}text{fill:var(--t)}.m{fill:var(--m)}.t{font-size:16px;font-weight:600}.z text{font-size:7px}"
    ".h{fill:var(--h)}.s{fill:var(--s)}.o{fill:var(--o)}.p{fill:var(--p)}.d{fill:var(--d)}"
    ".c:hover{opacity:.7}.r:hover>text{font-weight:600}";

static void put_rect(const struct drawing *drawing, enum cell_kind kind, double x, double y, double width, double height)
{
    fprintf(drawing->out, "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>", classes[kind], x, y, width, height);
}

/* What the pointer reads over a cell. */
static void put_cell_title(const struct drawing *drawing, const struct row *row, const struct picture_cell *cell)
{
    char size[SIZE_TEXT], text[PARTNERS_TEXT];
    size_t page_size = drawing->picture->scene->page_size;

    fprintf(drawing->out, "<title>%s %u, pages %zu to %zu (%s)", row->array != NULL ? "array" : "store", row->number, cell->first,
            cell->first + cell->pages - 1, size_text((int64_t)(cell->pages * page_size), size));
    for (int kind = 0; kind < CELL_KINDS; kind++)
        if (cell->count[kind] > 0)
            fprintf(drawing->out, "\n%zu %s", cell->count[kind], map_kinds[kind]);
    if (cell->most > 1)
        fprintf(drawing->out, cell->least == cell->most ? "\nshown %u times" : "\nshown %u to %u times", cell->least, cell->most);
    if (*picture_partners(drawing->picture, row, cell, 6, text) != '\0')
        fprintf(drawing->out, "%s%s", row->array != NULL ? ", also in " : ", in ", text);
    fputs("</title>", drawing->out);
}

static bool is_pure(const struct picture_cell *cell)
{
    for (int kind = 0; kind < CELL_KINDS; kind++)
        if (cell->count[kind] == cell->pages)
            return true;
    return false;
}

/* Neighbours that look alike and are shown equally often become one. */
static size_t merge(const struct row *row, size_t first, struct picture_cell *merged)
{
    size_t i = first + 1;

    *merged = row->cells[first];
    if (!is_pure(merged) || merged->least != merged->most)
        return i;
    for (; i < row->cell_count; i++) {
        const struct picture_cell *cell = &row->cells[i];

        for (int kind = 0; kind < CELL_KINDS; kind++)
            if ((cell->count[kind] > 0) != (merged->count[kind] > 0))
                return i;
        if (cell->least != merged->least || cell->most != merged->most)
            return i;
        merged->pages += cell->pages;
        for (int kind = 0; kind < CELL_KINDS; kind++)
            merged->count[kind] += cell->count[kind];
    }
    return i;
}

/* The kinds of a mixed cell stand on each other, the costly ones below. */
static void put_cell(const struct drawing *drawing, const struct row *row, const struct picture_cell *cell, double y, double scale)
{
    double x = LEFT + (double)cell->first * scale;
    double width = (double)cell->pages * scale;
    double bottom = y + drawing->height;

    fputs("<g class=\"c\">", drawing->out);
    put_cell_title(drawing, row, cell);
    for (int kind = CELL_KINDS - 1; kind >= 0; kind--) {
        double part = drawing->height * (double)cell->count[kind] / (double)cell->pages;

        if (part > 0)
            put_rect(drawing, (enum cell_kind)kind, x, bottom - part, width, part);
        bottom -= part;
    }
    fputs("</g>\n", drawing->out);
}

static void put_array_title(const struct drawing *drawing, const struct array *array)
{
    char size[SIZE_TEXT], place[PLACE_TEXT];
    unsigned from = array->copied_from == 0 ? 0 : picture_array_at(drawing->picture, array->copied_from);

    fprintf(drawing->out, "<title>0x%lx, %s asked for%s%s", (unsigned long)array->start, size_text((int64_t)array->size, size),
            (array->flags & EXPORT_EXCLUDED) != 0 ? "; locked or protected by the program" : "",
            (array->flags & EXPORT_REGISTERED) != 0 ? "; registered by the program" : "");
    if (array->copied_from != 0) {
        fputs("\nlast copied into from ", drawing->out);
        if (from != 0)
            fprintf(drawing->out, "#%u", from);
        else
            fputs("an array that is no more", drawing->out);
        fputs(" by ", drawing->out);
        markup_put(drawing->out, picture_place(drawing->maps, array->copied_by, place), true);
    }
    fputs("</title>", drawing->out);
}

static void put_row(const struct drawing *drawing, const struct row *row, double y, size_t longest)
{
    const struct picture_cell whole = {.first = 0, .pages = row->pages};
    double scale = (double)CELLS / (double)longest;
    double base = y + drawing->height * (drawing->small ? 0.95 : 0.78);
    char size[SIZE_TEXT], text[PARTNERS_TEXT];

    /* A row of few pages is stretched, so that it can be seen at all. */
    if ((double)row->pages * scale < 24)
        scale = 24 / (double)row->pages;
    fprintf(drawing->out, "<g class=\"r\"><text x=\"36\" y=\"%.1f\" text-anchor=\"end\">%s%u", base, row->array != NULL ? "#" : "s",
            row->number);
    if (row->array != NULL)
        put_array_title(drawing, row->array);
    fprintf(drawing->out, "</text><text class=\"m\" x=\"106\" y=\"%.1f\" text-anchor=\"end\">%s</text>", base,
            size_text((int64_t)(row->pages * drawing->picture->scene->page_size), size));
    fprintf(drawing->out, "<text class=\"m\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f %% shared</text>\n", LEFT - 10, base,
            100 * (double)row->count[CELL_SHARED] / (double)row->pages);
    for (size_t i = 0; i < row->cell_count;) {
        struct picture_cell cell;

        i = merge(row, i, &cell);
        put_cell(drawing, row, &cell, y, scale);
    }
    picture_partners(drawing->picture, row, &whole, 3, text);
    if (*text != '\0')
        fprintf(drawing->out, "<text class=\"m\" x=\"%d\" y=\"%.1f\">%s %s</text>", WIDTH - RIGHT + 10, base,
                row->array != NULL ? "with" : "in", text);
    fputs("</g>\n", drawing->out);
}

static void put_head(const struct drawing *drawing)
{
    char title[200];
    int x = 16;

    map_title(drawing->picture->member, title);
    fputs("<text class=\"t\" x=\"16\" y=\"30\">", drawing->out);
    markup_put(drawing->out, title, true);
    fputs("</text>\n", drawing->out);
    for (int kind = 0; kind < CELL_KINDS; kind++) {
        fprintf(drawing->out,
                "<rect class=\"%s\" x=\"%d\" y=\"47\" width=\"14\" height=\"14\" rx=\"2\"/><text x=\"%d\" y=\"58\">%s</text>\n",
                classes[kind], x, x + 20, map_kinds[kind]);
        x += 44 + (int)strlen(map_kinds[kind]) * 7;
    }
}

static double put_rows(const struct drawing *drawing, double y, size_t longest)
{
    const struct picture *picture = drawing->picture;
    bool stores = false;

    for (size_t i = 0; i < picture->row_count; i++) {
        if (picture->rows[i].array == NULL && !stores) {
            fprintf(drawing->out, "<text class=\"m\" x=\"16\" y=\"%.1f\">stores</text>\n", y + 22);
            y += 32;
            stores = true;
        }
        put_row(drawing, &picture->rows[i], y, longest);
        y += drawing->step;
    }
    if (picture->arrays_left_out > 0)
        fprintf(drawing->out, "<text class=\"m\" x=\"16\" y=\"%.1f\">%zu smaller arrays are left out</text>\n", y + 16,
                picture->arrays_left_out);
    return y;
}

static void put_svg(const struct drawing *drawing)
{
    const struct picture *picture = drawing->picture;
    size_t longest = 1;

    for (size_t i = 0; i < picture->row_count; i++)
        if (picture->rows[i].pages > longest)
            longest = picture->rows[i].pages;
    fprintf(drawing->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" width=\"%d\"%s>\n<style>%s</style>\n", WIDTH,
            TOP + 80 + drawing->step * (double)picture->row_count, WIDTH, drawing->small ? " class=\"z\"" : "", style);
    put_head(drawing);
    put_rows(drawing, TOP, longest);
    fputs("</svg>\n", drawing->out);
}

void map_draw_svg(const struct picture *picture, FILE *out, const char *maps, bool page)
{
    bool small = picture->row_count > 120;
    struct drawing drawing = {picture, out, maps, small ? 7 : 15, small ? 9 : 20, small};

    if (page)
        fputs("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>cowshim map</title>\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n"
              "<style>body{margin:0 auto;max-width:1100px;background:#fff}svg{max-width:100%;height:auto;margin-bottom:40px}"
              "#i{position:fixed;bottom:0;left:0;right:0;padding:8px 16px;font:13px system-ui,sans-serif;white-space:pre-wrap;"
              "background:#1d2733;color:#fff;min-height:1.2em}"
              "@media(prefers-color-scheme:dark){body{background:#12181f}#i{background:#2b3540}}</style>\n",
              out);
    put_svg(&drawing);
    if (page)
        fputs("<div id=\"i\">Point at a cell, or at the number of an array.</div>\n"
              "<script>document.querySelector('svg').addEventListener('mouseover',e=>{"
              "const g=e.target.closest('.c')||e.target,t=g.querySelector(':scope>title');"
              "if(t)document.getElementById('i').textContent=t.textContent.replace(/\\n/g,'; ')})</script>\n",
              out);
}
