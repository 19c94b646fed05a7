/* SPDX-License-Identifier: MIT */
#include "profile/tell.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "profile/memory.h"
#include "profile/trail.h"

/* what: an event of that size, all but its head. */
static void tell_sampled(enum trail_type type, unsigned flags, const void *what, size_t size, const struct trail_sample *samples,
                         size_t count)
{
    size_t bytes = count * sizeof *samples;
    struct trail_event *event = trail_add(size + bytes);
    struct trail_event head;

    if (event == NULL)
        return;
    head = *event;
    memcpy(event, what, size);
    *event = head;
    memcpy((char *)event + size, samples, bytes);
    trail_finish(event, type, flags);
}

void tell_block(enum trail_type type, unsigned flags, const struct trail_block *what, const struct trail_sample *samples)
{
    tell_sampled(type, flags, what, sizeof *what, samples, what->samples);
}

void tell_begin(bool apply)
{
    static char words[4000];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    long length = fd < 0 ? 0 : syscall(SYS_read, fd, words, sizeof words);
    struct trail_begin *event;

    if (fd >= 0)
        syscall(SYS_close, fd);
    if (length < 0)
        length = 0;
    event = trail_add(sizeof *event + (size_t)length);
    if (event == NULL)
        return;
    event->version = TRAIL_VERSION;
    event->pid = (uint32_t)syscall(SYS_getpid);
    event->parent = (uint32_t)syscall(SYS_getppid);
    event->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
    event->apply = apply;
    event->heap_start = memory_heap_start();
    event->words = (uint32_t)length;
    memcpy(event + 1, words, (size_t)length);
    trail_finish(event, TRAIL_BEGIN, 0);
}

void tell_copy(const struct trail_copy *what, const struct trail_sample *samples)
{
    tell_sampled(TRAIL_COPY, 0, what, sizeof *what, samples, what->samples);
}

void tell_end(void)
{
    struct trail_event *event = trail_add(sizeof *event);

    if (event != NULL)
        trail_finish(event, TRAIL_END, 0);
}
