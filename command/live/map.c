/* SPDX-License-Identifier: MIT */
/* cowshim map PID: every array of a process as a row of page cells. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/options.h"
#include "command/live/map_draw.h"
#include "command/common/settings.h"
#include "command/common/size_text.h"

#define COLUMNS 80u
#define COLUMNS_LEAST 60u
#define FILE_CELLS 240

const char *const map_kinds[CELL_KINDS] = {"hole", "shared", "shown once", "private", "dead in a store"};

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct wish {
    const char *file;
    enum colour colour;
    bool where;
};

void map_title(const struct member *member, char text[200])
{
    const struct figures *f = &member->figures;
    char logical[SIZE_TEXT], cost[SIZE_TEXT], saved[SIZE_TEXT];

    snprintf(text, 200, "%s (%d): %zu array%s, logical %s, cost %s, saved %s (%.0f %%)", member->process.name, (int)member->process.pid,
             f->arrays, f->arrays == 1 ? "" : "s", size_text((int64_t)f->logical, logical), size_text((int64_t)figures_cost(f), cost),
             size_text(figures_saved(f), saved), f->logical == 0 ? 0 : 100 * (double)figures_saved(f) / (double)f->logical);
}

static int help_print(void)
{
    puts("Usage: cowshim map [OPTION]... PID\n"
         "Draws every array of a running process as a row of cells, of a page or many\n"
         "each: what is private, what is shared and with which arrays, what is a hole;\n"
         "and the stores behind them. The process is not disturbed.\n"
         "\n"
         "Options:");
    settings_print_option("output FILE", "or -o FILE: into a file instead, .svg or .html, in which one can point at cells");
    settings_print_option("color auto|always|never", "auto: on a terminal, unless NO_COLOR is set");
    settings_print_option("where", "and a list that says which allocation each row is: its address, and who copied it from where");
    settings_print_option("help", "this text");
    puts("\n"
         "Exit code: 0; 1 if the process has nothing to show, which stderr then\n"
         "explains; 125 if the command line is wrong. See also cowshim(1).");
    return EXIT_SUCCESS;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), ending = strlen(end);

    return length > ending && strcmp(text + length - ending, end) == 0;
}

static bool parse_colour(struct wish *wish, const char *text)
{
    static const char *const words[] = {"auto", "always", "never"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, words[i]) == 0) {
            wish->colour = (enum colour)i;
            return true;
        }
    message_error("--color=%s: accepted are auto, always or never", text);
    return false;
}

/* -1: go on. Otherwise the exit code. */
static int parse(int argc, char **argv, struct wish *wish)
{
    static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                            {"color", required_argument, NULL, 'c'},
                                            {"where", no_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int found;

    while ((found = options_next(argc, argv, ":o:h", options)) != -1) {
        if (found == 'h')
            return help_print();
        if (found == '?' || (found == 'c' && !parse_colour(wish, optarg)))
            return message_usage("cowshim map");
        if (found == 'o')
            wish->file = optarg;
        wish->where = wish->where || found == 'w';
    }
    if (wish->file != NULL && !ends_with(wish->file, ".svg") && !ends_with(wish->file, ".html")) {
        message_error("%s: accepted are files that end in .svg or .html", wish->file);
        return message_usage("cowshim map");
    }
    if (argc - optind == 1)
        return -1;
    message_error(optind < argc ? "only one PID can be given" : "no PID is given");
    return message_usage("cowshim map");
}

static unsigned terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size = {0};
    unsigned width = COLUMNS;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    else if (columns != NULL && atoi(columns) > 0)
        width = (unsigned)atoi(columns);
    return width < COLUMNS_LEAST ? COLUMNS_LEAST : width;
}

static bool wants_colours(const struct wish *wish)
{
    const char *no = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    if (wish->colour != COLOUR_AUTO)
        return wish->colour == COLOUR_ALWAYS;
    return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

static int draw_file(const struct picture *picture, const char *path)
{
    FILE *out = fopen(path, "we");
    char *maps = process_file(picture->member->process.pid, "maps", NULL);
    bool failed = out == NULL;

    if (out != NULL) {
        map_draw_svg(picture, out, maps, ends_with(path, ".html"));
        failed = ferror(out) != 0;
        failed = fclose(out) != 0 || failed;
    }
    free(maps);
    if (!failed)
        return EXIT_SUCCESS;
    message_error("%s: %s", path, strerror(errno));
    return EXIT_USAGE;
}

static void list_arrays(const struct picture *picture)
{
    char *maps = process_file(picture->member->process.pid, "maps", NULL);

    map_list_arrays(picture, stdout, maps);
    free(maps);
}

static int draw(const struct scene *scene, const struct wish *wish)
{
    const struct member *member = &scene->members[0];
    unsigned width = terminal_width();
    struct picture picture;
    int code = EXIT_USAGE;

    if (member->process.state != PROCESS_OPEN) {
        process_explain(&member->process);
        return EXIT_FAILURE;
    }
    if (!picture_make(&picture, scene, member, wish->file != NULL ? FILE_CELLS : width - MAP_LABEL - MAP_PARTNERS)) {
        message_error("there is no memory for the picture");
    } else if (wish->file != NULL) {
        code = draw_file(&picture, wish->file);
    } else {
        map_draw_terminal(&picture, stdout, width, wants_colours(wish));
        if (wish->where)
            list_arrays(&picture);
        code = EXIT_SUCCESS;
    }
    picture_end(&picture);
    return code;
}

int command_map(int argc, char **argv)
{
    struct wish wish = {NULL, COLOUR_AUTO, false};
    struct scene scene;
    int code = parse(argc, argv, &wish);
    pid_t pid;

    if (code >= 0)
        return code;
    pid = command_parse_pid(argv[optind]);
    if (pid < 0)
        return message_usage("cowshim map");
    setlocale(LC_CTYPE, "");
    scene_init(&scene);
    if (scene_add(&scene, pid) != NULL) {
        if (scene.members[0].process.state == PROCESS_OPEN) {
            scene_add_relatives(&scene);
            scene_look(&scene);
        }
        code = draw(&scene, &wish);
    }
    scene_end(&scene);
    return code < 0 ? EXIT_USAGE : code;
}
