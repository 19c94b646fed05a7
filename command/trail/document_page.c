/* SPDX-License-Identifier: MIT */
/* A page that needs nothing but itself: page.html with the documents in it. What can be read without a script is there as text. */
#include <stdlib.h>
#include <string.h>

#include "command/trail/document.h"
#include "command/trail/markup.h"

static const char page[] =
#include "command/trail/page.inc"
    ;

/* Inside of a script element no text may look like its end. */
static void put_data(FILE *out, struct json_object *document)
{
    const char *at = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

    for (; *at != '\0'; at++)
        if (*at == '<')
            fputs("\\u003c", out);
        else
            fputc(*at, out);
}

static int put_text(FILE *out, struct json_object *document)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);

    if (memory == NULL)
        return -1;
    document_print_text(memory, document);
    fclose(memory);
    markup_put(out, text, false);
    free(text);
    return 0;
}

static int put_field(FILE *out, const char *name, struct json_object *document, struct json_object *after)
{
    if (strncmp(name, "TEXT", 4) == 0)
        return put_text(out, document);
    put_data(out, strncmp(name, "AFTER", 5) == 0 ? after : document);
    return 0;
}

int document_print_page(FILE *out, struct json_object *document, struct json_object *after)
{
    const char *at = page;
    const char *field;
    int error = 0;

    while (error == 0 && (field = strstr(at, "@@")) != NULL) {
        fwrite(at, 1, (size_t)(field - at), out);
        error = put_field(out, field + 2, document, after);
        at = strstr(field + 2, "@@") + 2;
    }
    fputs(at, out);
    return error;
}
