/* SPDX-License-Identifier: MIT */
/* cowshim top: the figures of all processes, again and again, on a terminal. */
#include <curses.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/options.h"
#include "command/live/scene.h"
#include "command/common/settings.h"
#include "command/common/size_text.h"

enum column { BY_PID, BY_NAME, BY_ARRAYS, BY_LOGICAL, BY_COST, BY_SAVED, BY_SHARE, BY_MAPPED, BY_PLAIN, COLUMNS_COUNT };

static const struct {
    const char *title;
    int width; /* negative: to the left */
} columns[COLUMNS_COUNT] = {
    [BY_PID] = {"PID", 7},          [BY_NAME] = {"NAME", -13},   [BY_ARRAYS] = {"ARRAYS", 6},
    [BY_LOGICAL] = {"LOGICAL", 10}, [BY_COST] = {"COST", 10},    [BY_SAVED] = {"SAVED", 10},
    [BY_SHARE] = {"%", 4},          [BY_MAPPED] = {"MAPPED", 6}, [BY_PLAIN] = {"PLAIN", 5},
};

struct line {
    const struct member *member;
    uint64_t mapped, plain;
};

struct top {
    struct scene scene;
    struct line *lines;
    size_t count, forbidden;
    enum column sort;
    bool rising;
    pid_t selected;
    size_t at, first; /* the selected line and the first on the screen */
    double delay;
};

static int help_print(void)
{
    puts("Usage: cowshim top [OPTION]...\n"
         "Shows every process that has the shim and that we may read, and what is saved\n"
         "in it, again and again. Keys: up and down select a process, whose plain copies\n"
         "are shown below; left and right choose the column to sort by, r turns the\n"
         "order; space looks at once; q ends.\n"
         "\n"
         "Options:");
    settings_print_option("delay SECONDS", "how often to look; 2 if not said otherwise");
    settings_print_option("help", "this text");
    puts("\nSee also cowshim(1).");
    return EXIT_SUCCESS;
}

/* -1: go on. Otherwise the exit code. */
static int parse(int argc, char **argv, struct top *top)
{
    static const struct option options[] = {{"delay", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int found;
    char *end;

    while ((found = options_next(argc, argv, ":d:h", options)) != -1) {
        if (found == 'h')
            return help_print();
        if (found == '?')
            return message_usage("cowshim top");
        top->delay = strtod(optarg, &end);
        if (end == optarg || *end != '\0' || !(top->delay >= 0.1 && top->delay <= 86400)) {
            message_error("--delay=%s: accepted are numbers of seconds from 0.1 to 86400", optarg);
            return message_usage("cowshim top");
        }
    }
    if (optind < argc) {
        message_error("%s: top takes no arguments", argv[optind]);
        return message_usage("cowshim top");
    }
    return -1;
}

static double share_of(const struct figures *f)
{
    return f->logical == 0 ? 0 : 100 * (double)figures_saved(f) / (double)f->logical;
}

/* qsort() hands no context on. */
static const struct top *sorting;

static double key_of(const struct line *line)
{
    const struct figures *f = &line->member->figures;

    switch (sorting->sort) {
    case BY_ARRAYS:
        return (double)f->arrays;
    case BY_LOGICAL:
        return (double)f->logical;
    case BY_COST:
        return (double)figures_cost(f);
    case BY_SAVED:
        return (double)figures_saved(f);
    case BY_SHARE:
        return share_of(f);
    case BY_MAPPED:
        return (double)line->mapped;
    case BY_PLAIN:
        return (double)line->plain;
    default:
        return (double)line->member->process.pid;
    }
}

/* Largest first, names from A to Z; equal ones by their number, so that they do not dance. */
static int compare(const void *a, const void *b)
{
    const struct line *one = a, *other = b;
    double x = key_of(one), y = key_of(other);
    int order = sorting->sort == BY_NAME ? strcmp(one->member->process.name, other->member->process.name) : (x < y) - (x > y);

    if (order == 0)
        return (one->member->process.pid > other->member->process.pid) - (one->member->process.pid < other->member->process.pid);
    return sorting->rising ? -order : order;
}

static void sort_lines(struct top *top)
{
    sorting = top;
    qsort(top->lines, top->count, sizeof *top->lines, compare);
    for (size_t i = 0; i < top->count; i++)
        if (top->lines[i].member->process.pid == top->selected)
            top->at = i;
    if (top->at >= top->count)
        top->at = top->count > 0 ? top->count - 1 : 0;
}

static void look(struct top *top)
{
    scene_end(&top->scene);
    free(top->lines);
    top->count = 0;
    top->forbidden = scene_add_all(&top->scene);
    scene_add_relatives(&top->scene);
    scene_look(&top->scene);
    top->lines = calloc(top->scene.member_count + 1, sizeof *top->lines);
    for (size_t i = 0; top->lines != NULL && i < top->scene.member_count; i++) {
        const struct member *member = &top->scene.members[i];

        if (member->process.state == PROCESS_OPEN)
            top->lines[top->count++] =
                (struct line){member, process_count(&member->process, "copies_shared"), process_plain_copies(&member->process)};
    }
    sort_lines(top);
}

/* A line of the screen is made whole before it is put there, cut at the edge. */
struct text {
    char text[256];
    size_t used;
};

static void add(struct text *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *line, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line->text + line->used, sizeof line->text - line->used, format, arguments);
    va_end(arguments);
    if (length > 0)
        line->used += (size_t)length < sizeof line->text - line->used ? (size_t)length : sizeof line->text - line->used - 1;
}

static void put(int row, const struct text *line)
{
    mvaddnstr(row, 0, line->text, COLS);
}

static void add_cell(struct text *line, enum column column, const char *text)
{
    int width = columns[column].width;
    const char *gap = column == 0 ? "" : " ";

    if (width < 0)
        add(line, "%s%-*.*s", gap, -width, -width, text);
    else
        add(line, "%s%*s", gap, width, text);
}

static void put_titles(const struct top *top, int row)
{
    struct text line = {"", 0};
    size_t start = 0;

    for (int i = 0; i < COLUMNS_COUNT; i++) {
        if (i == (int)top->sort)
            start = line.used + (i > 0);
        add_cell(&line, (enum column)i, columns[i].title);
    }
    attron(A_REVERSE);
    put(row, &line);
    attroff(A_REVERSE);
    mvchgat(row, (int)start, abs(columns[top->sort].width), A_REVERSE | A_BOLD | A_UNDERLINE, 0, NULL);
}

static void put_line(int row, const struct line *process)
{
    const struct figures *f = &process->member->figures;
    struct text line = {"", 0};
    char text[SIZE_TEXT];

    snprintf(text, sizeof text, "%d", (int)process->member->process.pid);
    add_cell(&line, BY_PID, text);
    add_cell(&line, BY_NAME, process->member->process.name);
    snprintf(text, sizeof text, "%zu", f->arrays);
    add_cell(&line, BY_ARRAYS, text);
    add_cell(&line, BY_LOGICAL, size_text((int64_t)f->logical, text));
    add_cell(&line, BY_COST, size_text((int64_t)figures_cost(f), text));
    add_cell(&line, BY_SAVED, size_text(figures_saved(f), text));
    snprintf(text, sizeof text, "%.0f", share_of(f));
    add_cell(&line, BY_SHARE, text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)process->mapped);
    add_cell(&line, BY_MAPPED, text);
    snprintf(text, sizeof text, "%llu", (unsigned long long)process->plain);
    add_cell(&line, BY_PLAIN, text);
    put(row, &line);
}

static void put_head(const struct top *top)
{
    const struct figures *f = &top->scene.figures;
    struct text line = {"", 0}, sums = {"", 0};
    char logical[SIZE_TEXT], cost[SIZE_TEXT], saved[SIZE_TEXT];

    add(&line, "cowshim top: %zu process%s", top->count, top->count == 1 ? "" : "es");
    if (top->forbidden > 0)
        add(&line, ", %zu may not be read", top->forbidden);
    put(0, &line);
    add(&sums, "together: logical %s, cost %s, saved %s (%.0f %%)", size_text((int64_t)f->logical, logical),
        size_text((int64_t)figures_cost(f), cost), size_text(figures_saved(f), saved), share_of(f));
    put(1, &sums);
}

/* Why copies of the selected process were plain, as far as there is room. */
static void put_detail(const struct top *top, int row, int rows)
{
    const struct process *process = &top->lines[top->at].member->process;
    const struct figures *f = &top->lines[top->at].member->figures;
    struct count reasons[PROCESS_REASONS];
    size_t count = process_list_reasons(process, reasons);
    struct text line = {"", 0};
    char a[SIZE_TEXT], b[SIZE_TEXT], c[SIZE_TEXT];

    add(&line, "%s (%d): %s private, %s in stores, %s dead", process->name, (int)process->pid, size_text((int64_t)f->own, a),
        size_text((int64_t)f->stored, b), size_text((int64_t)f->dead, c));
    attron(A_BOLD);
    put(row, &line);
    attroff(A_BOLD);
    for (size_t i = 0; i < count && (int)i < rows - 1; i++) {
        struct text reason = {"", 0};

        add(&reason, "%8llu %11s  plain: %s", (unsigned long long)reasons[i].number, size_text((int64_t)reasons[i].bytes, a),
            process_words(reasons[i].name));
        put(row + 1 + (int)i, &reason);
    }
}

#define HEAD 3
#define DETAIL 6

static void draw(struct top *top)
{
    int rows = LINES - HEAD - DETAIL - 1;

    if (rows < 1)
        rows = LINES - HEAD;
    if (top->at < top->first)
        top->first = top->at;
    if (rows > 0 && top->at >= top->first + (size_t)rows)
        top->first = top->at - (size_t)rows + 1;
    if (top->first > 0 && top->first + (size_t)rows > top->count)
        top->first = top->count > (size_t)rows ? top->count - (size_t)rows : 0;
    erase();
    put_head(top);
    put_titles(top, HEAD - 1);
    for (int i = 0; i < rows && top->first + (size_t)i < top->count; i++) {
        if (top->first + (size_t)i == top->at)
            attron(A_STANDOUT);
        put_line(HEAD + i, &top->lines[top->first + (size_t)i]);
        attroff(A_STANDOUT);
    }
    if (top->count == 0)
        mvaddnstr(HEAD, 0, "no process has the shim and a large allocation; start one by 'cowshim run'", COLS);
    else if (rows == LINES - HEAD - DETAIL - 1)
        put_detail(top, LINES - DETAIL, DETAIL - 1);
    if (LINES > HEAD + 1)
        mvaddnstr(LINES - 1, 0, "q end   up, down: select   left, right: sort by   r turn   space look", COLS);
    refresh();
}

static void select_line(struct top *top, long step)
{
    if (top->count == 0)
        return;
    if (step < 0 && top->at > 0)
        top->at--;
    if (step > 0 && top->at + 1 < top->count)
        top->at++;
    top->selected = top->lines[top->at].member->process.pid;
}

static void choose_column(struct top *top, int step)
{
    top->sort = (enum column)(((int)top->sort + step + COLUMNS_COUNT) % COLUMNS_COUNT);
    sort_lines(top);
}

/* False: the end. */
static bool obey(struct top *top, int key)
{
    switch (key) {
    case 'q':
    case 'Q':
        return false;
    case KEY_UP:
    case 'k':
        select_line(top, -1);
        break;
    case KEY_DOWN:
    case 'j':
        select_line(top, 1);
        break;
    case KEY_LEFT:
    case '<':
        choose_column(top, -1);
        break;
    case KEY_RIGHT:
    case '>':
        choose_column(top, 1);
        break;
    case 'r':
        top->rising = !top->rising;
        sort_lines(top);
        break;
    case ' ':
        look(top);
        break;
    default: /* KEY_RESIZE: what is drawn next fits */
        break;
    }
    return true;
}

static double now(void)
{
    struct timespec time = {0, 0};

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void run(struct top *top)
{
    double next = 0;
    bool more = true;

    while (more) {
        int key;

        if (now() >= next) {
            look(top);
            next = now() + top->delay;
        }
        draw(top);
        timeout((int)((next - now()) * 1000) + 1);
        key = getch();
        more = key == ERR || obey(top, key);
    }
}

int command_top(int argc, char **argv)
{
    struct top top = {.sort = BY_SAVED, .delay = 2};
    int code = parse(argc, argv, &top);

    if (code >= 0)
        return code;
    if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
        message_error("top needs a terminal; 'cowshim stat --all --watch' does without");
        return EXIT_USAGE;
    }
    setlocale(LC_CTYPE, "");
    if (newterm(NULL, stdout, stdin) == NULL) {
        message_error("the terminal %s is not known", getenv("TERM") == NULL ? "(TERM is not set)" : getenv("TERM"));
        return EXIT_USAGE;
    }
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    scene_init(&top.scene);
    run(&top);
    endwin();
    scene_end(&top.scene);
    free(top.lines);
    return EXIT_SUCCESS;
}
