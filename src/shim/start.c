/* SPDX-License-Identifier: MIT */
/* The whole start-up order. Before it, all hooks pass straight on: next.c binds itself at the first call. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/config.h"
#include "base/log.h"
#include "base/page.h"
#include "base/sys.h"
#include "engine/engine.h"
#include "engine/report/observe.h"
#include "kernel/coredump.h"
#include "shim/hook.h"
#include "shim/maker.h"

struct hot hot = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX, BOOTSTRAP_MASK, false};

/* Defined where libcowshim-profile.so is loaded too. */
extern observer_offer cowshim_observer_1 __attribute__((weak, visibility("default")));

/* Whether COWSHIM_PROGRAMS lets us work in this program. */
static bool program_wanted(const char *patterns)
{
    char pattern[256];

    if (*patterns == '\0')
        return true;
    while (*patterns != '\0') {
        size_t length = strcspn(patterns, ",");

        if (length < sizeof pattern) {
            bytes_copy(pattern, patterns, length);
            pattern[length] = '\0';
            if (fnmatch(pattern, program_invocation_short_name, 0) == 0)
                return true;
        } else {
            log_error("COWSHIM_PROGRAMS=%.32s... has a name of more than 255 characters; it is ignored", patterns);
        }
        patterns += length;
        patterns += *patterns == ',';
    }
    return false;
}

/* Copies of at least this size are passed to the engine. */
static size_t smallest_copy(void)
{
    const struct observer *observer = cowshim_observer_1 == NULL ? NULL : cowshim_observer_1(engine_store_bytes);
    size_t smallest = config_size(min_size);

    return observe_start(observer) && observer->smallest_copy < smallest ? observer->smallest_copy : smallest;
}

/* Smaller calls take so little time that it would be felt if we looked at them. */
#define SMALLEST_COPY ((size_t)8192)
#define SMALLEST_ALLOCATION ((size_t)2048)

/* While stores may have dead pages, calls that are too small for us look as well, because a program that only writes to its arrays makes no
   others. */
static void watch(bool on)
{
    size_t copy = hot.min_observed < hot.min_size ? hot.min_observed : hot.min_size;
    size_t block = hot.min_block;

    if (engine_confined())
        return;
    hot.min_copy = on && SMALLEST_COPY < copy ? SMALLEST_COPY : copy;
    hot.min_allocation = on && SMALLEST_ALLOCATION < block ? SMALLEST_ALLOCATION : block;
}

static __attribute__((constructor)) void shim_start(void)
{
    int saved = errno;

    next_bind();
    next_bind_late();
    page_init();
    config_read();
    if (!program_wanted(config_text(programs)))
        config_choice(mode) = MODE_OFF;
    if (config_choice(mode) != MODE_OFF) {
        hot.start_mask = START_MASK(page_size);
        maker_start();
        engine_start();
        process_start();
        if (config_choice(coredump) == 1)
            coredump_include_files();
        /* Last, and in this order: from here on hooks call the engine. */
        hot.min_size = config_size(min_size);
        hot.min_observed = smallest_copy();
        if (config_choice(mode) == MODE_AUTO)
            hot.min_block = config_size(min_size);
        watch(false);
        engine_watch(watch);
        if (config_choice(mode) == MODE_AUTO && config_choice(scope) == SCOPE_ANON)
            hot.min_mapping = config_size(min_size);
        hot.started = true;
    }
    errno = saved;
}

static void write_summary(const char *where)
{
    static char text[8192];
    bool file = strcmp(where, "stderr") != 0;
    size_t length = engine_summary(text, sizeof text, file);
    int fd = STDERR_FILENO;

    if (length == 0)
        return;
    if (file)
        fd = (int)SYS(SYS_openat, AT_FDCWD, where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        log_error("COWSHIM_STATS=%s cannot be opened (error %d); the summary is not written", where, -fd);
        return;
    }
    log_emit(fd, text, length);
    if (file)
        SYS_MUST(SYS_close, fd);
}

static __attribute__((destructor)) void shim_end(void)
{
    const char *where = config_text(stats);
    int saved = errno;

    if (engine_confined())
        return;
    observe_ends();
    if (where != NULL && *where != '\0' && config_choice(mode) != MODE_OFF)
        write_summary(where);
    errno = saved;
}
