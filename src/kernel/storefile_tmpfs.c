/* SPDX-License-Identifier: MIT */
/* A tmpfs of our own with huge pages, for which no privilege is needed: a child in a new user and mount namespace, which shares our
   memory and our descriptors, makes the mount and leaves its descriptor to us; the namespaces live as long as that descriptor.
   The mount is attached nowhere, so that nobody finds it by a path. Source: fsopen(2), user_namespaces(7), tmpfs(5). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/next.h"
#include "base/sys.h"
#include "kernel/storefile.h"

#include "base/poison.h"

/* <linux/mount.h> and <sys/mount.h> cannot both be included everywhere: the two values that are needed. */
#define SET_STRING 1
#define CMD_CREATE 6
#define FSMOUNT_CLOSE_ON_EXEC 1
#define FSOPEN_CLOSE_ON_EXEC 1

#ifndef SYS_fsopen
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif

struct order {
    unsigned uid, gid;
    int result; /* the mount, or -errno */
};

static int write_text(const char *path, const char *text, size_t length)
{
    long fd = SYS(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
    long written;

    if (fd < 0)
        return (int)fd;
    written = SYS(SYS_write, fd, text, length);
    SYS_MUST(SYS_close, fd);
    return written == (long)length ? 0 : -EPERM;
}

static int write_map(const char *path, unsigned id)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%u %u 1", id, id);

    return write_text(path, text, (size_t)length);
}

/* huge=within_size: exactly what the file needs; the default size would be half of the memory, and inodes are none of the
   program's business: 0 means no limit for both. */
static int configure(int fs)
{
    static const char *const options[][2] = {{"huge", "within_size"}, {"mode", "0700"}, {"size", "0"}, {"nr_inodes", "0"}};
    long error = 0;

    for (size_t i = 0; error == 0 && i < sizeof options / sizeof *options; i++)
        error = SYS(SYS_fsconfig, fs, SET_STRING, options[i][0], options[i][1], 0);
    return error != 0 ? (int)error : (int)SYS(SYS_fsconfig, fs, CMD_CREATE, 0, 0, 0);
}

static int mount_here(const struct order *order)
{
    long fs;
    long mount;
    int error;

    write_text("/proc/self/setgroups", "deny", 4); /* needed before gid_map since 3.19, absent before */
    error = write_map("/proc/self/uid_map", order->uid);
    if (error == 0)
        error = write_map("/proc/self/gid_map", order->gid);
    if (error != 0)
        return error;
    fs = SYS(SYS_fsopen, "tmpfs", FSOPEN_CLOSE_ON_EXEC);
    if (fs < 0)
        return (int)fs;
    error = configure((int)fs);
    mount = error != 0 ? error : SYS(SYS_fsmount, fs, FSMOUNT_CLOSE_ON_EXEC, 0);
    SYS_MUST(SYS_close, fs);
    return (int)mount;
}

static int child(void *argument)
{
    struct order *order = argument;

    order->result = mount_here(order);
    return 0;
}

int tmpfs_mount(void)
{
    struct order order = {(unsigned)SYS_MUST(SYS_geteuid), (unsigned)SYS_MUST(SYS_getegid), sys_must_fail()};
    /* Exit signal 0: the program's own wait() never sees this child, nor does a debugger that follows children. CLONE_VFORK: we sleep
       until it is gone. */
    int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_FILES | CLONE_VM | CLONE_VFORK | CLONE_UNTRACED;
    char *stack = scratch_take();
    int saved = errno;
    int pid;

    if (stack == NULL)
        return -ENOMEM;
    if (order.result == 0) {
        order.result = -EPERM;
        pid = next.clone(child, stack + SCRATCH_SIZE, flags, &order);
        if (pid < 0)
            order.result = -errno;
        else
            SYS_MUST(SYS_wait4, pid, 0, __WALL, 0);
    }
    errno = saved;
    scratch_give(stack);
    return order.result;
}

int tmpfs_open(int mount)
{
    return (int)SYS(SYS_openat, mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}
