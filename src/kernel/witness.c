/* SPDX-License-Identifier: MIT */
#include "kernel/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/lock.h"
#include "kernel/descriptor.h"
#include "kernel/sys.h"

#include "base/poison.h"

static struct lock lock = LOCK_INITIALIZER(LOCK_KERNEL);
static struct descriptor token = DESCRIPTOR_NONE; /* under the lock; its number is only read without it to see whether there is one */

/* A fresh locked file: 0 or -errno. */
static int begin(void)
{
    long fd = SYS(SYS_memfd_create, "cowshim-token", MFD_CLOEXEC);
    long error = fd < 0 ? fd : descriptor_adopt(&token, (int)fd);

    if (error == 0)
        error = SYS(SYS_flock, token.fd, LOCK_EX | LOCK_NB);
    if (error != 0)
        descriptor_drop(&token);
    return (int)error;
}

/* The same file through a description of its own. */
static int open_again(int fd)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return (int)SYS(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
}

/* Only we held the lock, if it can be had when we let go. */
static bool passes_on(int fd)
{
    struct descriptor again = DESCRIPTOR_NONE;
    int other = open_again(fd);

    if (other < 0 || descriptor_adopt(&again, other) != 0)
        return false;
    descriptor_drop(&token);
    if (SYS(SYS_flock, again.fd, LOCK_EX | LOCK_NB) != 0) {
        descriptor_drop(&again);
        return false;
    }
    token.fd = again.fd;
    token.device = again.device;
    token.inode = again.inode;
    return true;
}

void witness_begin(void)
{
    if (token.fd >= 0)
        return;
    lock_take(&lock);
    if (token.fd < 0)
        begin();
    lock_drop(&lock);
}

bool witness_copied(void)
{
    bool alone;
    int fd;

    lock_take(&lock);
    fd = descriptor_use(&token);
    alone = fd >= 0 && passes_on(fd);
    if (!alone) {
        descriptor_drop(&token);
        begin(); /* copies from now on */
    }
    lock_drop(&lock);
    return !alone;
}

void witness_keep(void)
{
    lock_take(&lock);
    token.fd = -1; /* open as long as we are; the next store begins a token of our own */
    lock_drop(&lock);
}

void witness_renew(void)
{
    lock_take(&lock);
    if (token.fd >= 0) {
        descriptor_drop(&token);
        begin();
    }
    lock_drop(&lock);
}
