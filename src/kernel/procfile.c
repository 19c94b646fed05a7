/* SPDX-License-Identifier: MIT */
#include "kernel/procfile.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "base/lock.h"
#include "base/sys.h"
#include "base/thread.h"
#include "kernel/descriptor.h"

#include "base/poison.h"

static struct lock lock = LOCK_INITIALIZER(LOCK_KERNEL);
static struct descriptor files[PROCFILE_COUNT] = {DESCRIPTOR_NONE, DESCRIPTOR_NONE};

static const char *const paths[] = {"/proc/self/pagemap", "/proc/self/maps"};

static int reopen(enum procfile which)
{
    long fd = SYS(SYS_openat, AT_FDCWD, paths[which], O_RDONLY | O_CLOEXEC);
    int error;

    descriptor_drop(&files[which]);
    if (fd < 0)
        return (int)fd;
    error = descriptor_adopt(&files[which], (int)fd);
    return error != 0 ? error : files[which].fd;
}

int procfile_use(enum procfile which)
{
    int fd;

    lock_take(&lock);
    fd = descriptor_use(&files[which]);
    if (fd < 0)
        fd = reopen(which);
    lock_drop(&lock);
    return fd;
}

int procfile_use_once(enum procfile which)
{
    int fd;

    if (!thread_self.inside)
        return procfile_use(which);
    lock_take(&lock);
    fd = (thread_self.checked >> which & 1) != 0 ? files[which].fd : -1;
    lock_drop(&lock);
    if (fd < 0)
        fd = procfile_use(which);
    if (fd >= 0)
        thread_self.checked |= 1u << which;
    return fd;
}

/* As getdents64(2) fills it in. */
struct directory_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

int procfile_names(int directory, bool (*visit)(const char *name, void *context), void *context)
{
    char buffer[2048] __attribute__((aligned(8)));
    long got;

    while ((got = SYS(SYS_getdents64, directory, buffer, sizeof buffer)) > 0)
        for (long at = 0; at < got;) {
            const struct directory_entry *entry = (const struct directory_entry *)(const void *)(buffer + at);

            if (entry->name[0] != '.' && !visit(entry->name, context))
                return 0;
            at += entry->length;
        }
    return (int)got;
}

void procfile_after_fork(void)
{
    thread_self.checked = 0;
    for (int i = 0; i < PROCFILE_COUNT; i++)
        descriptor_drop(&files[i]);
}
