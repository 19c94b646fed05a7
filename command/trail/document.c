/* SPDX-License-Identifier: MIT */
#include "command/trail/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/common/command.h"

static bool ends_in(const char *path, const char *suffix)
{
    size_t length = strlen(path);

    return length > strlen(suffix) && strcmp(path + length - strlen(suffix), suffix) == 0;
}

bool document_check_output(const char *path, const char *option)
{
    FILE *file;

    if (!ends_in(path, ".html") && !ends_in(path, ".json") && !ends_in(path, ".txt") && !ends_in(path, ".folded")) {
        message_error("%s %s: accepted are names that end in .html, .json, .txt or .folded", option, path);
        return false;
    }
    file = fopen(path, "ae");
    if (file == NULL) {
        message_error("%s %s: %s", option, path, strerror(errno));
        return false;
    }
    fclose(file);
    return true;
}

static int print(FILE *out, const char *path, struct json_object *document, struct json_object *after)
{
    if (ends_in(path, ".html"))
        return document_print_page(out, document, after);
    if (ends_in(path, ".json"))
        for (struct json_object *one = document; one != NULL; one = one == document ? after : NULL)
            fprintf(out, "%s\n", json_object_to_json_string_ext(one, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        for (struct json_object *one = document; one != NULL; one = one == document ? after : NULL)
            (ends_in(path, ".folded") ? document_print_folded : document_print_text)(out, one);
    return 0;
}

int document_write(const char *path, struct json_object *document, struct json_object *after)
{
    FILE *out = path == NULL ? stderr : fopen(path, "we");
    bool failed;

    if (path == NULL) {
        document_print_text(stderr, document);
        if (after != NULL)
            document_print_text(stderr, after);
        return 0;
    }
    failed = out == NULL || print(out, path, document, after) != 0;
    if (out != NULL && fclose(out) != 0)
        failed = true;
    if (!failed)
        return 0;
    message_error("%s: %s", path, strerror(errno));
    return EXIT_USAGE;
}
