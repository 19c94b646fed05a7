/* SPDX-License-Identifier: MIT */
#include "kernel/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/sys.h"

#include "base/poison.h"

#define WINDOW 2048  /* on the stack; holds all fields that we read, unless a long list of groups comes before them */
#define LONGEST 1024 /* from the first field of ours to the end of the last */

static unsigned long field(const char *text, const char *name)
{
    const char *found = strstr(text, name);

    return found == NULL ? 0 : strtoul(found + strlen(name), NULL, 10);
}

/* Reads the part of the file that has the fields into text: 0 or -errno. */
static int read_fields(long fd, char *text)
{
    for (long at = 0;; at += WINDOW - LONGEST) {
        long got = SYS(SYS_pread64, fd, text, WINDOW - 1, at);

        if (got <= 0)
            return got < 0 ? (int)got : -EIO;
        text[got] = '\0';
        if (strstr(text, "\nVmPin:") != NULL && strstr(text, "\nThreads:") != NULL)
            return 0;
    }
}

int status_read(struct status *status)
{
    char text[WINDOW];
    long fd = SYS(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? (int)fd : read_fields(fd, text);

    if (fd >= 0)
        SYS_MUST(SYS_close, fd);
    if (error != 0)
        return error;
    status->threads = (unsigned)field(text, "\nThreads:");
    status->pinned = field(text, "\nVmPin:") != 0;
    status->locked = field(text, "\nVmLck:") != 0;
    return 0;
}
