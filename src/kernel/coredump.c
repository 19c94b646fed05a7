/* SPDX-License-Identifier: MIT */
#include "kernel/coredump.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/sys.h"

#include "base/poison.h"

#define PRIVATE_FILES 4u /* bit 2 */

void coredump_include_files(void)
{
    static const char path[] = "/proc/self/coredump_filter";
    char text[32];
    long got = sys_read_file(path, text, sizeof text);
    long fd = got < 0 ? got : SYS(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    long error = fd;

    if (fd >= 0) {
        int length = snprintf(text, sizeof text, "0x%lx", strtoul(text, NULL, 16) | PRIVATE_FILES);

        error = SYS(SYS_write, fd, text, length);
        SYS_MUST(SYS_close, fd);
    }
    if (error < 0)
        log_warn("COWSHIM_COREDUMP=1: %s cannot be changed (error %ld); core dumps lack shared pages", path, -error);
}
