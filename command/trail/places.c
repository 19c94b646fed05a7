/* SPDX-License-Identifier: MIT */
#include "command/trail/places.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/common/command.h"

#define FRAMES_SHOWN 48

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static bool has(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strstr(text, *words) != NULL)
            return true;
    return false;
}

static void add_frame(struct place_words *place, char *frame)
{
    char **frames = place->count < FRAMES_SHOWN ? realloc(place->frames, (place->count + 1) * sizeof *frames) : NULL;

    if (frame == NULL || frames == NULL) {
        free(frame);
        return;
    }
    place->frames = frames;
    frames[place->count++] = frame;
}

__attribute__((format(printf, 1, 2))) static char *format(const char *pattern, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, pattern);
    text = message_text(pattern, arguments);
    va_end(arguments);
    return text;
}

/* The place is the first frame that is the program's own, or if there is none the first. */
static void set_place(struct place_words *place, const char *function, const char *file, int line)
{
    free(place->where);
    free(place->file);
    free(place->function);
    place->file = file == NULL ? NULL : strdup(file);
    place->function = function == NULL ? NULL : strdup(function);
    place->line = line;
    if (file == NULL)
        place->where = strdup(function == NULL ? "unknown place" : function);
    else if (function == NULL || strcmp(function, "<module>") == 0)
        place->where = format("%s:%d", base_name(file), line);
    else
        place->where = format("%s:%d in %s", base_name(file), line, function);
}

/* `  File "PATH", line 41 in train` with anything that is not ASCII as \xNN or \uNNNN. */
static bool read_python(const char *text, size_t length, char file[1024], int *line, char function[512])
{
    char copy[2048];
    char *end, *number;

    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strncmp(copy, "  File ", 7) != 0)
        return false;
    number = strstr(copy, ", line ");
    if (number == NULL)
        return false;
    *number = '\0';
    snprintf(file, 1024, "%.1023s", copy[7] == '"' ? copy + 8 : copy + 7);
    end = strchr(file, '"');
    if (end != NULL)
        *end = '\0';
    *line = (int)strtol(number + 7, &end, 10);
    snprintf(function, 512, "%s", strncmp(end, " in ", 4) == 0 ? end + 4 : "?");
    return true;
}

/* "  R NAME" as profile/r.c writes it: a function of R, which has no line. */
static bool read_r(const char *text, size_t length, char function[512])
{
    if (length <= 4 || length - 4 >= 512 || strncmp(text, "  R ", 4) != 0)
        return false;
    snprintf(function, 512, "%.*s", (int)(length - 4), text + 4);
    return true;
}

/* What lapply() and its kin are given has the name FUN in there: who calls is what one looks for. */
static void add_r(struct place_words *place, const char *function)
{
    bool passed = place->where != NULL && strncmp(place->where, "FUN in ", 7) == 0 && strstr(place->where, "...") != NULL;
    char *name = strcmp(function, "(top level)") == 0 ? strdup("the script's top level")
                 : strcmp(function, "FUN") == 0       ? strdup("FUN in ...")
                                                      : format("%s()", function);

    if (name != NULL && place->where == NULL)
        set_place(place, name, NULL, 0);
    else if (name != NULL && passed) {
        char *whole = format("FUN in %s", name);

        if (whole != NULL && strcmp(function, "FUN") != 0)
            set_place(place, whole, NULL, 0);
        free(whole);
    }
    free(name);
    place->language = "r";
    add_frame(place, format("%s (R)", function));
}

static void add_interpreted(struct place_words *place, const char *text, size_t length)
{
    static const char *const libraries[] = {"/site-packages/", "/dist-packages/", "/lib/python", "<frozen", "<__array_function__", NULL};
    bool own = false;
    char *innermost = NULL;

    while (length > 0) {
        const char *newline = memchr(text, '\n', length);
        size_t part = newline == NULL ? length : (size_t)(newline - text);
        char file[1024], function[512];
        int line;

        if (read_python(text, part, file, &line, function)) {
            if (!own && innermost == NULL && *file != '<' && has(file, libraries))
                innermost = format("%s:%d in %s", base_name(file), line, function);
            if (!own && (place->where == NULL || !has(file, libraries)))
                set_place(place, function, file, line);
            own = own || !has(file, libraries);
            place->language = "python";
            add_frame(place, format("%s (%s:%d)", function, base_name(file), line));
        } else if (read_r(text, part, function)) {
            add_r(place, function);
        }
        part += newline != NULL;
        text += part;
        length -= part;
    }
    if (own)
        place->via = innermost;
    else
        free(innermost);
}

struct native {
    struct place_words *place;
    bool own;
};

static void add_native(void *context, struct frame *frame)
{
    static const char *const shim[] = {"/libcowshim", NULL};
    static const char *const libraries[] = {"/libc.so", "/libc-", "/ld-linux", "/libstdc++", "/libgomp", "/libpthread", NULL};
    static const char *const headers[] = {"/usr/include/", "/usr/lib/", "/rustc/", "/rust/library/", NULL};
    struct native *native = context;
    const char *module = frame->module == NULL ? "?" : frame->module;
    /* What the compiler wrote has the line of its class: the line that copies is its caller's. */
    bool own = !frame->artificial && !has(module, libraries) && (frame->file == NULL || !has(frame->file, headers));
    char *function = frame->function != NULL ? strdup(frame->function) : format("code without a name");

    if (!has(module, shim) && function != NULL) {
        char *name = frame->file == NULL ? format("%s in %s", function, base_name(module)) : NULL;

        if (!native->own && (native->place->where == NULL || own))
            set_place(native->place, name != NULL ? name : function, frame->file, frame->line);
        native->own = native->own || own;
        add_frame(native->place, frame->file == NULL ? format("%s (%s)", function, base_name(module))
                                                     : format("%s (%s:%d)", function, base_name(frame->file), frame->line));
        free(name);
    }
    free(function);
    free(frame->function);
    free(frame->file);
}

/* Python from 3.13 on exports nothing that tells its lines: better said than left to be wondered at. */
static void add_excuse(struct place_words *place)
{
    char *whole = NULL;

    for (unsigned i = 0; i < place->count && whole == NULL; i++)
        if (strncmp(place->frames[i], "_PyEval_EvalFrame", 17) == 0)
            whole = format("%s (this Python does not tell its line)", place->where);
    if (whole == NULL)
        return;
    free(place->where);
    place->where = whole;
    place->language = "python";
}

static void read_stack(const struct trail_stack *stack, struct symbols *symbols, struct place_words *place)
{
    const uint64_t *addresses = (const void *)(stack + 1);
    struct native native = {place, false};

    place->language = "native";
    add_interpreted(place, (const char *)(addresses + stack->frames), stack->text);
    if (place->where == NULL)
        for (uint32_t i = 0; i < stack->frames; i++)
            symbols_at(symbols, addresses[i], add_native, &native);
    if (strcmp(place->language, "native") == 0)
        add_excuse(place);
}

struct place_words *places_read(const struct trail *trail, struct symbols *symbols)
{
    struct place_words *places = calloc(trail->stack_count + 1, sizeof *places);

    for (uint32_t i = 0; places != NULL && i <= trail->stack_count; i++) {
        if (i < trail->stack_count && trail->stacks[i] != NULL)
            read_stack(trail->stacks[i], symbols, &places[i]);
        if (places[i].where == NULL) {
            set_place(&places[i], NULL, NULL, 0);
            places[i].language = "native";
        }
    }
    return places;
}

void places_free(struct place_words *places, const struct trail *trail)
{
    for (uint32_t i = 0; places != NULL && i <= trail->stack_count; i++) {
        for (unsigned k = 0; k < places[i].count; k++)
            free(places[i].frames[k]);
        free(places[i].frames);
        free(places[i].where);
        free(places[i].via);
        free(places[i].file);
        free(places[i].function);
    }
    free(places);
}

char *place_source(const struct place_words *place)
{
    FILE *file = place->file == NULL ? NULL : fopen(place->file, "re");
    char *line = NULL, *text = NULL;
    size_t size = 0;

    if (file == NULL)
        return NULL;
    for (int i = 0; i < place->line; i++)
        if (getline(&line, &size, file) < 0)
            break;
        else if (i + 1 == place->line)
            text = line;
    fclose(file);
    if (text != NULL) {
        while (isspace((unsigned char)*text))
            text++;
        for (size_t length = strlen(text); length > 0 && isspace((unsigned char)text[length - 1]); length--)
            text[length - 1] = '\0';
        text = strlen(text) < 300 ? strdup(text) : NULL;
    }
    free(line);
    return text;
}
