/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/poison.h"

static enum log_level threshold = LOG_LEVEL_WARN;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_set_level(enum log_level level)
{
    threshold = level;
}

bool log_enabled(enum log_level level)
{
    return level <= threshold;
}

/* syscall() and not write(): the latter is a cancellation point, which a memcpy must not become. */
void log_emit(int descriptor, const char *text, unsigned long length)
{
    int saved = errno;

    while (length > 0) {
        long written = syscall(SYS_write, descriptor, text, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            break;
        text += written;
        length -= (unsigned long)written;
    }
    errno = saved;
}

void log_write(enum log_level level, const char *format, ...)
{
    char line[512];
    int saved = errno;
    int used;
    int more;
    va_list arguments;

    if (!log_enabled(level))
        return;
    used = snprintf(line, sizeof line, "cowshim: %s: ", level_names[level]);
    va_start(arguments, format);
    more = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
    va_end(arguments);
    if (more < 0)
        more = 0;
    used += more;
    if ((size_t)used > sizeof line - 2)
        used = (int)sizeof line - 2;
    line[used++] = '\n';
    log_emit(STDERR_FILENO, line, (unsigned long)used);
    errno = saved;
}
