/* SPDX-License-Identifier: MIT */
/* Messages on stderr, one write(2) each, with no allocation and errno kept: "cowshim: warn: text".
   Safe in signal handlers as far as vsnprintf of plain conversions is; never called with floating point. */
#ifndef COWSHIM_BASE_LOG_H
#define COWSHIM_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends the text to descriptor 2 or to a file, whole or not at all; used for messages and for the summary. */
void log_emit(int descriptor, const char *text, unsigned long length);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
/* The arguments of a debug line are not even computed when nobody reads it. */
#define log_debug(...) \
    do { \
        if (log_enabled(LOG_LEVEL_DEBUG)) \
            log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); \
    } while (0)

#endif
