/* SPDX-License-Identifier: MIT */
/* The same shape as the shim's own messages, but of any length: paths must not be cut. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "command/common/command.h"

static bool warnings_hushed;

char *message_text(const char *format, va_list arguments)
{
    char *text;

    return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

static __attribute__((format(printf, 2, 0))) void write_line(const char *level, const char *format, va_list arguments)
{
    char *text = message_text(format, arguments);

    if (text == NULL)
        return;
    fprintf(stderr, "cowshim: %s: %s\n", level, text);
    free(text);
}

void message_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line("error", format, arguments);
    va_end(arguments);
}

void message_warn(const char *format, ...)
{
    va_list arguments;

    if (warnings_hushed)
        return;
    va_start(arguments, format);
    write_line("warn", format, arguments);
    va_end(arguments);
}

void message_hush_warnings(void)
{
    warnings_hushed = true;
}

int message_usage(const char *command)
{
    fprintf(stderr, "Try '%s --help'.\n", command);
    return EXIT_USAGE;
}
