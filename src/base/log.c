/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/sys.h"

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

#define BIT(number) (UINT64_C(1) << ((number)-1))
/* The signals that a write of ours could raise, and that would end the program: SIGPIPE for a closed pipe, SIGXFSZ at a limit on file
   sizes. */
#define SIGNALS_OF_WRITE (BIT(SIGPIPE) | BIT(SIGXFSZ))

/* Which of these signals are pending before we write. If the kernel does not tell, all of them count as pending, so that none is taken
   for ours. */
static uint64_t pending_signals(void)
{
    uint64_t pending;

    return SYS(SYS_rt_sigpending, &pending, sizeof pending) == 0 ? pending & SIGNALS_OF_WRITE : SIGNALS_OF_WRITE;
}

static void emit(int descriptor, const char *text, unsigned long length)
{
    while (length > 0) {
        long written = SYS(SYS_write, descriptor, text, length);

        if (written == -EINTR)
            continue;
        if (written <= 0)
            break;
        text += written;
        length -= (unsigned long)written;
    }
}

void log_emit(int descriptor, const char *text, unsigned long length)
{
    static const struct timespec at_once;
    const uint64_t held = SIGNALS_OF_WRITE;
    uint64_t mask;
    uint64_t before, new;

    if (SYS(SYS_rt_sigprocmask, SIG_BLOCK, &held, &mask, sizeof mask) != 0)
        return;
    before = pending_signals();
    emit(descriptor, text, length);
    new = pending_signals() & ~before;
    if (before != SIGNALS_OF_WRITE && new != 0)
        SYS_MUST(SYS_rt_sigtimedwait, &new, NULL, &at_once, sizeof new);
    SYS_MUST(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
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
