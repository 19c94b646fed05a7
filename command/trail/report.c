/* SPDX-License-Identifier: MIT */
/* cowshim report [OPTION]... FILE [FILE]: a profile, or the summaries that COWSHIM_STATS collects, as a page; two of a kind are
   compared, before and after. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/common/command.h"
#include "command/common/options.h"
#include "command/trail/document.h"
#include "command/common/settings.h"
#include "command/common/size_text.h"
#include "command/common/value.h"

static int help_print(void)
{
    puts("Usage: cowshim report [-o FILE] INPUT [INPUT]\n"
         "Shows what `cowshim profile -o FILE.json` or COWSHIM_STATS (`cowshim run\n"
         "--stats=FILE`) have written. Two inputs are before and after.\n"
         "\n"
         "Options:");
    settings_print_option("output FILE, -o FILE",
                          "FILE.html: a page to look at; FILE.json; FILE.folded; FILE.txt; without it, text on stdout");
    settings_print_option("help", "this text");
    puts("\n"
         "Exit code: 0; 125 if the command line or an input is wrong.");
    return EXIT_SUCCESS;
}

static int64_t sum_of(struct json_object *processes, const char *name)
{
    int64_t sum = 0;

    for (size_t i = 0; i < value_length(processes); i++)
        sum += value_integer(json_object_array_get_idx(processes, i), name);
    return sum;
}

/* Copies and bytes that stayed plain, of all processes. */
static void sum_plain(struct json_object *processes, int64_t *copies, int64_t *bytes)
{
    for (size_t i = 0; i < value_length(processes); i++) {
        struct json_object *plain = value_of(json_object_array_get_idx(processes, i), "plain");

        json_object_object_foreach (plain, name, reason) {
            (void)name;
            if (value_length(reason) != 2)
                continue;
            *copies += json_object_get_int64(json_object_array_get_idx(reason, 0));
            *bytes += json_object_get_int64(json_object_array_get_idx(reason, 1));
        }
    }
}

static char *stats_verdict(struct json_object *processes)
{
    char shared[SIZE_TEXT], plain[SIZE_TEXT];
    int64_t plain_copies = 0, plain_bytes = 0;
    char *text;

    sum_plain(processes, &plain_copies, &plain_bytes);
    if (asprintf(&text, "%" PRId64 " large copies of %s were shared, %" PRId64 " of %s were plain.", sum_of(processes, "copies_shared"),
                 size_text(sum_of(processes, "bytes_shared"), shared), plain_copies, size_text(plain_bytes, plain)) < 0)
        return NULL;
    return text;
}

/* Lines of a COWSHIM_STATS file as one document. */
static struct json_object *stats_document(struct json_object *lines, const char *path)
{
    char *verdict = stats_verdict(lines);
    struct json_object *document = json_object_new_object();

    value_set_integer(document, "format", VALUE_FORMAT);
    value_set_text(document, "cowshim", "stats");
    value_set_text(document, "command", path);
    value_set_text(document, "verdict", verdict);
    value_set_flag(document, "helps", sum_of(lines, "copies_shared") > 0);
    value_set(document, "processes", json_object_get(lines));
    free(verdict);
    return document;
}

/* The values in a text, one after another. NULL: it is something else. */
static struct json_object *parse_values(const char *text, size_t length)
{
    struct json_tokener *parser = json_tokener_new();
    struct json_object *values = json_object_new_array();
    enum json_tokener_error error = json_tokener_success;

    while (error == json_tokener_success && strspn(text, " \t\r\n") < length) {
        struct json_object *value = json_tokener_parse_ex(parser, text, (int)length);
        size_t used = json_tokener_get_parse_end(parser);

        error = json_tokener_get_error(parser);
        text += used;
        length -= used;
        if (value != NULL)
            json_object_array_add(values, value);
    }
    json_tokener_free(parser);
    if (error == json_tokener_success)
        return values;
    json_object_put(values);
    return NULL;
}

static struct json_object *read_values(FILE *file)
{
    char *text = NULL;
    size_t size = 0;
    ssize_t length = getdelim(&text, &size, '\0', file);
    struct json_object *values = length < 0 || length > INT32_MAX ? NULL : parse_values(text, (size_t)length);

    free(text);
    return values;
}

static bool is_kind(struct json_object *value, const char *kind)
{
    if (strcmp(kind, "stats line") == 0)
        return value_integer(value, "cowshim") > 0 && json_object_is_type(value_of(value, "plain"), json_type_object);
    return strcmp(value_text(value, "cowshim"), kind) == 0;
}

/* NULL after a message. */
static struct json_object *read_document(const char *path)
{
    FILE *file = fopen(path, "re");
    struct json_object *values = file == NULL ? NULL : read_values(file);
    struct json_object *first = value_length(values) == 0 ? NULL : json_object_array_get_idx(values, 0);
    struct json_object *document = NULL;

    if (file == NULL)
        message_error("%s: %s", path, strerror(errno));
    else if (is_kind(first, "profile") || is_kind(first, "stats"))
        document = json_object_get(first);
    else if (is_kind(first, "stats line"))
        document = stats_document(values, path);
    else
        message_error("%s: neither a profile nor what COWSHIM_STATS writes", path);
    if (file != NULL)
        fclose(file);
    json_object_put(values);
    return document;
}

static int print(const char *output, struct json_object *document, struct json_object *after)
{
    if (output != NULL)
        return document_write(output, document, after);
    document_print_text(stdout, document);
    if (after != NULL)
        document_print_text(stdout, after);
    return EXIT_SUCCESS;
}

static int report(const char *output, char **inputs, int count)
{
    struct json_object *documents[2] = {NULL, NULL};
    bool good = true;
    int code = EXIT_USAGE;

    for (int i = 0; i < count && good; i++)
        good = (documents[i] = read_document(inputs[i])) != NULL;
    if (good && count == 2 && !is_kind(documents[1], value_text(documents[0], "cowshim"))) {
        message_error("%s and %s are not of one kind", inputs[0], inputs[1]);
        good = false;
    }
    if (good)
        code = print(output, documents[0], documents[1]);
    json_object_put(documents[0]);
    json_object_put(documents[1]);
    return code;
}

int command_report(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {"output", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
    const char *output = NULL;
    int found;

    while ((found = options_next(argc, argv, ":ho:", options)) != -1) {
        if (found == 'h')
            return help_print();
        if (found != 'o')
            return message_usage("cowshim report");
        output = optarg;
    }
    if (argc - optind < 1 || argc - optind > 2) {
        message_error(argc == optind ? "no file is given" : "there are more than two files");
        return message_usage("cowshim report");
    }
    if (output != NULL && !document_check_output(output, "-o"))
        return EXIT_USAGE;
    return report(output, argv + optind, argc - optind);
}
