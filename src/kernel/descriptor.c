/* SPDX-License-Identifier: MIT */
#include "kernel/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/sys.h"

#include "base/poison.h"

/* Slots remember numbers, so that a number can move (descriptor_yield) under its holder, and what was opened there, so that a
   number that the program took by a system call of its own is not taken for ours. */
#define SLOTS 64
#define FEW 64
#define TAKEN (-1) /* a slot that is being written */

static struct slot {
    _Atomic int number; /* number + 1; 0: free */
    _Atomic dev_t device;
    _Atomic ino_t inode;
} slots[SLOTS];
static _Atomic unsigned used;
static _Atomic int lowest = INT_MAX; /* no number of ours was ever below */
static _Atomic pid_t owner;
static _Atomic bool hidden;

static struct rlimit descriptor_limit(void)
{
    struct rlimit limit = {1024, 1024};

    SYS_MUST(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
    return limit;
}

/* High enough to be out of the way, low enough that the kernel's table stays small (8 bytes a number, copied at fork). */
static int lowest_number(void)
{
    rlim_t limit = descriptor_limit().rlim_cur;

    if (limit >= 8192)
        return 4096;
    return (int)(limit - limit / 4);
}

void descriptor_init(void)
{
    atomic_store(&owner, (pid_t)sys_process());
}

bool descriptor_in_own_process(void)
{
    return atomic_load_explicit(&owner, memory_order_relaxed) == (pid_t)sys_process();
}

void descriptor_after_fork(void)
{
    descriptor_init();
}

static void note_number(int fd)
{
    int before = atomic_load(&lowest);

    while (fd < before && !atomic_compare_exchange_weak(&lowest, &before, fd))
        ;
}

static void publish(struct slot *slot, int fd)
{
    note_number(fd);
    atomic_store(&slot->number, fd + 1);
}

static int remember(int fd, const struct stat *status)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        int empty = 0;

        if (atomic_compare_exchange_strong(&slots[i].number, &empty, TAKEN)) {
            atomic_fetch_add(&used, 1);
            slots[i].device = status->st_dev;
            slots[i].inode = status->st_ino;
            publish(&slots[i], fd);
            return 0;
        }
    }
    return -EMFILE;
}

static void forget(int fd)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        int mine = fd + 1;

        if (atomic_compare_exchange_strong(&slots[i].number, &mine, 0)) {
            atomic_fetch_sub(&used, 1);
            return;
        }
    }
}

static int move_up(int fd)
{
    long high = SYS(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest_number());

    SYS_MUST(SYS_close, fd);
    return (int)high;
}

static int refuse(int fd)
{
    SYS_MUST(SYS_close, fd);
    return -EMFILE;
}

int descriptor_adopt(struct descriptor *descriptor, int fd)
{
    struct stat status;
    long error;

    /* with so few descriptors the program may need every one of them */
    fd = descriptor_limit().rlim_cur >= FEW && descriptor_in_own_process() ? move_up(fd) : refuse(fd);
    if (fd < 0)
        return fd;
    error = SYS(SYS_fstat, fd, &status);
    if (error == 0)
        error = remember(fd, &status);
    if (error != 0) {
        SYS_MUST(SYS_close, fd);
        return (int)error;
    }
    descriptor->device = status.st_dev;
    descriptor->inode = status.st_ino;
    descriptor->fd = fd;
    return 0;
}

static bool is_file(int fd, dev_t device, ino_t inode)
{
    struct stat status;

    /* Tests never make this call fail, because letting held writers go depends on it. */
    return SYS_MUST(SYS_fstat, fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

static bool still_ours(const struct descriptor *descriptor, int fd)
{
    return is_file(fd, descriptor->device, descriptor->inode);
}

/* The number moved (descriptor_yield): looks for the file behind all numbers of ours. This is rare, and may be slow. */
static int find_again(struct descriptor *descriptor)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        int fd = atomic_load(&slots[i].number) - 1;

        if (fd >= 0 && still_ours(descriptor, fd)) {
            descriptor->fd = fd;
            return fd;
        }
    }
    return -EBADF;
}

int descriptor_use(struct descriptor *descriptor)
{
    int fd = descriptor->fd;

    if (fd < 0)
        return -EBADF;
    return still_ours(descriptor, fd) ? fd : find_again(descriptor);
}

void descriptor_drop(struct descriptor *descriptor)
{
    int fd;

    if (!descriptor_in_own_process())
        return;
    fd = descriptor_use(descriptor);
    if (fd >= 0) {
        forget(fd);
        SYS_MUST(SYS_close, fd);
    } else if (descriptor->fd >= 0) {
        forget(descriptor->fd);
    }
    descriptor->fd = -1;
}

bool descriptor_is_ours(int fd)
{
    return fd >= 0 && descriptor_next((unsigned)fd, (unsigned)fd) == fd;
}

/* The lowest number in the range that a slot has, whatever is open there now, or -1. */
static int lowest_known(unsigned first, unsigned last, const struct slot **slot)
{
    int best = -1;

    for (unsigned i = 0; i < SLOTS; i++) {
        int fd = atomic_load_explicit(&slots[i].number, memory_order_relaxed) - 1;

        if (fd >= 0 && (unsigned)fd >= first && (unsigned)fd <= last && (best < 0 || fd < best)) {
            best = fd;
            *slot = &slots[i];
        }
    }
    return best;
}

int descriptor_next(unsigned first, unsigned last)
{
    int floor = atomic_load_explicit(&lowest, memory_order_relaxed);
    const struct slot *slot;
    int fd;

    if (floor == INT_MAX || atomic_load_explicit(&hidden, memory_order_relaxed) || last < (unsigned)floor || !descriptor_in_own_process())
        return -1;
    while (first <= last && (fd = lowest_known(first, last, &slot)) >= 0) {
        if (is_file(fd, slot->device, slot->inode))
            return fd;
        first = (unsigned)fd + 1; /* the program took it by a system call of its own */
    }
    return -1;
}

int descriptor_yield(int fd)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (atomic_load(&slots[i].number) == fd + 1) {
            long other = SYS(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest_number());

            if (other < 0) {
                forget(fd);
                return (int)other;
            }
            publish(&slots[i], (int)other);
            return 0;
        }
    }
    return 0;
}

void descriptor_hide(bool hide)
{
    atomic_store(&hidden, hide);
}

unsigned descriptor_count(void)
{
    return atomic_load(&used);
}
