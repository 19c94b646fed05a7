/* SPDX-License-Identifier: MIT */
#include "command/common/wrap.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "command/common/command.h"

#define WIDTH 79 /* some terminals begin a new line after the 80th column */

void wrap_print(FILE *out, size_t column, size_t indent, const char *text)
{
    bool first = true;

    while (*text != '\0') {
        size_t word = strcspn(text, " ");

        if (!first && column + 1 + word > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", (int)word, text);
        column += word + (first ? 0 : 1);
        first = false;
        text += word + strspn(text + word, " ");
    }
    putc('\n', out);
}

void wrap_format(FILE *out, size_t column, size_t indent, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = message_text(format, arguments);
    va_end(arguments);
    if (text != NULL)
        wrap_print(out, column, indent, text);
    free(text);
}
