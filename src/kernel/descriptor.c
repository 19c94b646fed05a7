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

#include "kernel/sys.h"

#include "base/poison.h"

/* Slots remember numbers, so that a number can move (descriptor_yield) under its holder. */
#define SLOTS 512
#define FEW 64

static _Atomic int slots[SLOTS]; /* number + 1; 0: free */
static _Atomic unsigned used;
static _Atomic int lowest = INT_MAX; /* no number of ours was ever below */
static _Atomic pid_t owner;

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

static int remember(int fd)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        int empty = 0;

        if (atomic_compare_exchange_strong(&slots[i], &empty, fd + 1)) {
            atomic_fetch_add(&used, 1);
            note_number(fd);
            return 0;
        }
    }
    return -EMFILE;
}

static void forget(int fd)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        int mine = fd + 1;

        if (atomic_compare_exchange_strong(&slots[i], &mine, 0)) {
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

    /* Where descriptors are that scarce the program needs all of them. */
    fd = descriptor_limit().rlim_cur >= FEW ? move_up(fd) : refuse(fd);
    if (fd < 0)
        return fd;
    error = SYS(SYS_fstat, fd, &status);
    if (error == 0)
        error = remember(fd);
    if (error != 0) {
        SYS_MUST(SYS_close, fd);
        return (int)error;
    }
    descriptor->device = status.st_dev;
    descriptor->inode = status.st_ino;
    descriptor->fd = fd;
    return 0;
}

static bool still_ours(const struct descriptor *descriptor, int fd)
{
    struct stat status;

    /* Exempt from faults: what lets writers go again comes this way, too. */
    return SYS_MUST(SYS_fstat, fd, &status) == 0 && status.st_dev == descriptor->device && status.st_ino == descriptor->inode;
}

/* The number moved (descriptor_yield): look through ours for the file. Rare, hence slow. */
static int find_again(struct descriptor *descriptor)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        int fd = atomic_load(&slots[i]) - 1;

        if (fd >= 0 && still_ours(descriptor, fd)) {
            descriptor->fd = fd;
            return fd;
        }
    }
    return -EBADF;
}

int descriptor_use(struct descriptor *descriptor)
{
    if (descriptor->fd < 0)
        return -EBADF;
    if (still_ours(descriptor, descriptor->fd))
        return descriptor->fd;
    return find_again(descriptor);
}

void descriptor_drop(struct descriptor *descriptor)
{
    int fd = descriptor_use(descriptor);

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

int descriptor_next(unsigned first, unsigned last)
{
    int best = -1;

    int floor = atomic_load_explicit(&lowest, memory_order_relaxed);

    if (floor == INT_MAX || last < (unsigned)floor)
        return -1;
    for (unsigned i = 0; i < SLOTS; i++) {
        int fd = atomic_load_explicit(&slots[i], memory_order_relaxed) - 1;

        if (fd >= 0 && (unsigned)fd >= first && (unsigned)fd <= last && (best < 0 || fd < best))
            best = fd;
    }
    return best;
}

int descriptor_yield(int fd)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (atomic_load(&slots[i]) == fd + 1) {
            long other = SYS(SYS_fcntl, fd, F_DUPFD_CLOEXEC, lowest_number());

            if (other < 0)
                return (int)other;
            atomic_store(&slots[i], (int)other + 1);
            note_number((int)other);
            return 0;
        }
    }
    return 0;
}

bool descriptor_budget_left(void)
{
    rlim_t limit = descriptor_limit().rlim_cur;
    unsigned budget = limit / 4 < SLOTS / 2 ? (unsigned)(limit / 4) : SLOTS / 2;

    return atomic_load(&used) < budget;
}

unsigned descriptor_count(void)
{
    return atomic_load(&used);
}
