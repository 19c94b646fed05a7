/* SPDX-License-Identifier: MIT */
#include "kernel/status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "kernel/procfile.h"
#include "kernel/sys.h"

#include "base/poison.h"

static unsigned long field(const char *text, const char *name)
{
    const char *found = strstr(text, name);

    return found == NULL ? 0 : strtoul(found + strlen(name), NULL, 10);
}

int status_read(struct status *status)
{
    char text[2048]; /* the fields that we read stand in the first 1.3 KiB */
    int fd = procfile_use(PROCFILE_STATUS);
    long got;

    if (fd < 0)
        return fd;
    got = SYS(SYS_pread64, fd, text, sizeof text - 1, 0);
    if (got <= 0)
        return got < 0 ? (int)got : -EIO;
    text[got] = '\0';
    if (strstr(text, "\nThreads:") == NULL)
        return -EIO;
    status->threads = (unsigned)field(text, "\nThreads:");
    status->pinned = field(text, "\nVmPin:") != 0;
    status->locked = field(text, "\nVmLck:") != 0;
    return 0;
}
