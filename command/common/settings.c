/* SPDX-License-Identifier: MIT */
#include "command/common/settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "command/common/command.h"
#include "command/common/options.h"
#include "command/common/wrap.h"

/* What getopt_long() returns for the n-th variable is SETTINGS_FIRST + n, and for the n-th option of the sub-command OWN_FIRST + n:
   above every character. */
enum { SETTINGS_FIRST = 256, OWN_FIRST = SETTINGS_FIRST + CONFIG_COUNT };

#define INDENT 10
#define NAME_SIZE 40

static bool given[CONFIG_COUNT]; /* on the command line */

static const char prefix[] = "COWSHIM_";

/* The one variable that has a natural value, so that its option may stand alone. */
static const char *value_alone(unsigned index)
{
    return index == CONFIG_INDEX_stats ? "stderr" : NULL;
}

static const char *option_name(const char *variable, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%s", variable + strlen(prefix));
    for (char *c = name; *c != '\0'; c++)
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
    return name;
}

static void add_options(struct option options[CONFIG_COUNT])
{
    static char names[CONFIG_COUNT][NAME_SIZE];
    struct config_option table[CONFIG_COUNT];

    config_options(table);
    for (unsigned i = 0; i < CONFIG_COUNT; i++) {
        options[i].name = option_name(table[i].variable, names[i]);
        options[i].has_arg = value_alone(i) != NULL ? optional_argument : required_argument;
        options[i].flag = NULL;
        options[i].val = SETTINGS_FIRST + (int)i;
    }
}

/* As config_parse() reads it. */
static const char *size_format(size_t size, char text[32])
{
    static const char units[] = "\0KMG";
    unsigned unit = 0;

    while (unit < 3 && size != 0 && size % 1024 == 0) {
        size /= 1024;
        unit++;
    }
    snprintf(text, 32, "%zu%.1s", size, &units[unit]);
    return text;
}

/* "auto|registered|off" as a sentence has it: "auto, registered or off". */
static char *choices_format(const char *choices)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    while (*choices != '\0') {
        size_t word = strcspn(choices, "|");
        const char *rest = choices + word + (choices[word] == '|');

        fprintf(out, "%.*s%s", (int)word, choices, *rest == '\0' ? "" : strchr(rest, '|') == NULL ? " or " : ", ");
        choices = rest;
    }
    fclose(out);
    return text;
}

static void complain(const struct config_option *option, const char *text)
{
    char name[NAME_SIZE];
    char *choices = option->choices != NULL ? choices_format(option->choices) : NULL;
    char low[32], high[32];

    option_name(option->variable, name);
    if (option->type == CONFIG_SIZE)
        message_error("--%s=%s: accepted are sizes from %s to %s, such as 65536, 64K, 1M or 2G", name, text,
                      size_format(option->smallest, low), size_format(option->largest, high));
    else
        message_error("--%s=%s: accepted are %s", name, text, choices);
    free(choices);
}

static bool path_is_writable(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    bool writable;

    if (access(path, F_OK) == 0)
        return access(path, W_OK) == 0;
    folder = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    writable = folder != NULL && access(folder, W_OK | X_OK) == 0;
    free(folder);
    return writable;
}

/* The shim opens the file when the program ends, wherever that has gone by then. Returns what is allocated, or NULL. */
static char *path_prepare(const char *path)
{
    char *folder, *whole;

    if (*path == '\0' || strcmp(path, "stderr") == 0)
        return strdup(path);
    if (!path_is_writable(path)) {
        message_error("--stats=%s: accepted are stderr and files that can be written (%s)", path, strerror(errno));
        return NULL;
    }
    if (*path == '/')
        return strdup(path);
    folder = getcwd(NULL, 0);
    if (folder == NULL || asprintf(&whole, "%s/%s", folder, path) < 0) {
        message_error("--stats=%s: %s", path, strerror(errno));
        whole = NULL;
    }
    free(folder);
    return whole;
}

static bool variable_set(const char *variable, const char *text)
{
    if (setenv(variable, text, 1) == 0)
        return true;
    message_error("%s: %s", variable, strerror(errno));
    return false;
}

/* Checks a value (NULL: the option stood alone) and sets the variable. False: a message was written. */
static bool apply(unsigned index, const char *text)
{
    struct config_option table[CONFIG_COUNT];
    union config_value value;
    char *path;
    bool done;

    config_options(table);
    if (text == NULL)
        text = value_alone(index);
    if (config_parse(&table[index], text, &value) != 0) {
        complain(&table[index], text);
        return false;
    }
    given[index] = true;
    if (index != CONFIG_INDEX_stats)
        return variable_set(table[index].variable, text);
    path = path_prepare(text);
    done = path != NULL && variable_set(table[index].variable, path);
    free(path);
    return done;
}

/* The options of all kinds for getopt_long(), and the letters of their short forms. The + stops at the program, whose options are not
   ours. */
static void list_options(const struct settings_option *own, size_t count, struct option *options, char *letters)
{
    letters += sprintf(letters, "+:h");
    add_options(options);
    options += CONFIG_COUNT;
    *options++ = (struct option){"help", no_argument, NULL, 'h'};
    for (size_t i = 0; i < count; i++) {
        *options++ = (struct option){own[i].name, own[i].takes_argument ? required_argument : no_argument, NULL, OWN_FIRST + (int)i};
        if (own[i].letter != 0)
            letters += sprintf(letters, "%c%s", own[i].letter, own[i].takes_argument ? ":" : "");
    }
}

static const struct settings_option *find_own(const struct settings_option *own, size_t count, int found)
{
    for (size_t i = 0; i < count; i++)
        if (found == OWN_FIRST + (int)i || (found != 0 && found == own[i].letter))
            return &own[i];
    return NULL;
}

int settings_parse(int argc, char **argv, int (*help)(void), const struct settings_option *own, size_t count)
{
    struct option options[CONFIG_COUNT + SETTINGS_OWN + 2] = {0};
    char letters[3 + 2 * SETTINGS_OWN + 1];
    int found;

    list_options(own, count, options, letters);
    while ((found = options_next(argc, argv, letters, options)) != -1) {
        const struct settings_option *option = find_own(own, count, found);

        if (found == 'h')
            return help();
        if (option != NULL)
            *option->value = option->takes_argument ? optarg : option->name;
        else if (found < SETTINGS_FIRST)
            return message_usage(argv[0]);
        else if (!apply((unsigned)(found - SETTINGS_FIRST), optarg))
            return EXIT_USAGE;
    }
    if (optind < argc)
        return -1;
    message_error("no program is given");
    return message_usage(argv[0]);
}

void settings_print_given(FILE *out, void (*print_word)(FILE *out, const char *word))
{
    struct config_option table[CONFIG_COUNT];
    char name[NAME_SIZE];

    config_options(table);
    for (unsigned i = 0; i < CONFIG_COUNT; i++) {
        const char *text = given[i] ? getenv(table[i].variable) : NULL;

        if (text == NULL)
            continue;
        fprintf(out, " --%s=", option_name(table[i].variable, name));
        print_word(out, text);
    }
}

bool settings_quiet(void)
{
    struct config_option table[CONFIG_COUNT];
    const char *text;
    union config_value value;

    config_options(table);
    text = getenv(table[CONFIG_INDEX_log].variable);
    return text != NULL && config_parse(&table[CONFIG_INDEX_log], text, &value) == 0 && value.choice < LOG_LEVEL_WARN;
}

void settings_print_option(const char *name, const char *text)
{
    printf("  --%s\n%*s", name, INDENT, "");
    wrap_print(stdout, INDENT, INDENT, text);
}

static void print_bounds(const struct config_option *option)
{
    char low[32], high[32];

    printf("%*s%s", INDENT, "", option->variable);
    if (option->type == CONFIG_SIZE)
        printf(", %s to %s", size_format(option->smallest, low), size_format(option->largest, high));
    if (*option->fallback != '\0')
        printf(", default %s\n", option->fallback);
    else
        puts(", not set by default");
}

static const char *value_kind(const struct config_option *option)
{
    if (option->type == CONFIG_CHOICE)
        return option->choices;
    return option->type == CONFIG_SIZE ? "SIZE" : "TEXT";
}

void settings_print_help(void)
{
    struct config_option table[CONFIG_COUNT];

    config_options(table);
    for (unsigned i = 0; i < CONFIG_COUNT; i++) {
        char name[NAME_SIZE], title[NAME_SIZE + 80];

        option_name(table[i].variable, name);
        if (value_alone(i) != NULL)
            snprintf(title, sizeof title, "%s[=PATH]", name);
        else
            snprintf(title, sizeof title, "%s %s", name, value_kind(&table[i]));
        settings_print_option(title, table[i].help);
        print_bounds(&table[i]);
    }
}
