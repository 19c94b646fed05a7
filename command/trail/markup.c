/* SPDX-License-Identifier: MIT */
#include "command/trail/markup.h"

void markup_put(FILE *out, const char *text, bool printable)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        default:
            putc(printable && (*text < ' ' || *text > '~') ? '?' : *text, out);
        }
}
