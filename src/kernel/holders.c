/* SPDX-License-Identifier: MIT */
#include "kernel/holders.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/config.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/thread.h"
#include "kernel/descriptor.h"
#include "kernel/procfile.h"
#include "kernel/status.h"
#include "base/sys.h"
#include "kernel/usage.h"

#include "base/poison.h"

/* The result of a scan of all descriptors is trusted for SCANS_APART times as long as the scan took, and no longer even if nothing seems to
   have changed: libc opens and closes files without our seeing it, so that a ring may have taken the number of one of them. */
#define SCANS_APART 64

/* In thread_self.checked: this operation has looked, and there is one thread. The low bits are files (kernel/procfile.c). */
#define CHECKED_ALONE (1u << 31)

#ifndef AF_XDP
#define AF_XDP 44
#endif

static struct lock lock = LOCK_INITIALIZER(LOCK_KERNEL);
static _Atomic unsigned noted;
static _Atomic unsigned changes;
/* As of the last scan: */
static _Atomic unsigned seen;
static _Atomic long seen_gap; /* the lowest free number then: what is opened next gets it */
static _Atomic uint64_t seen_changes, seen_until;

void holders_init(void)
{
    unsigned long forced;

    if (config_internal("held", &forced))
        holders_note((unsigned)forced);
}

void holders_note(unsigned held)
{
    atomic_fetch_or(&noted, held);
}

void holders_change(void)
{
    atomic_fetch_add_explicit(&changes, 1, memory_order_relaxed);
}

unsigned holders_known(void)
{
    return atomic_load_explicit(&noted, memory_order_relaxed);
}

void holders_after_fork(void)
{
    atomic_fetch_and(&noted, HOLDER_PAGER | HOLDER_READER);
    atomic_store(&seen_until, 0);
}

/* Character devices that only ever copy what they are given. All others may be an accelerator's. Source:
   Documentation/admin-guide/devices.txt. */
static unsigned judge_device(int directory, const char *name, dev_t device)
{
    static const char pagers[] = "/dev/userfaultfd";
    char text[sizeof pagers + 1];

    switch (major(device)) {
    case 1: /* null, zero, full, random, ... */
    case 4: /* terminals */
    case 5:
    case 13:  /* input */
    case 116: /* sound */
        return 0;
    case 10:
        if (minor(device) == 200 || minor(device) == 223 || minor(device) == 229) /* tun, uinput, fuse */
            return 0;
        /* /dev/userfaultfd has no fixed number. It holds no memory itself, and the pagers that are made with it have descriptors of their
           own. */
        return SYS_MUST(SYS_readlinkat, directory, name, text, sizeof text) == sizeof pagers - 1 &&
                       memcmp(text, pagers, sizeof pagers - 1) == 0
                   ? 0
                   : HOLDER_DEVICE;
    default:
        return major(device) >= 128 && major(device) <= 143 ? 0 : HOLDER_DEVICE; /* pseudo terminals */
    }
}

static int socket_option(long fd, int name)
{
    int value = 0;
    unsigned length = sizeof value;

    return SYS_MUST(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &length) == 0 ? value : 0;
}

/* Sockets that keep the program's own memory. */
static unsigned judge_socket(long fd)
{
    int domain = socket_option(fd, SO_DOMAIN);

    if (domain == AF_XDP || domain == AF_RDS || domain == AF_IB || domain == AF_ALG)
        return HOLDER_DEVICE;
    return domain != AF_UNIX && socket_option(fd, SO_ZEROCOPY) != 0 ? HOLDER_READER : 0;
}

/* Descriptors without a file. The kinds that hold no memory are listed; all others, also those that Linux will get, count as holders. */
static unsigned judge_anonymous(int directory, const char *name, long fd)
{
    static const char *const harmless[] = {"[event",      "[timerfd",   "[signalfd", "inotify",   "[fanotify", "[pidfd",
                                           "[perf_event", "[fscontext", "bpf",       "[landlock", "[mount"};
    char text[64];
    long length = SYS_MUST(SYS_readlinkat, directory, name, text, sizeof text - 1);
    const char *kind = text + strlen("anon_inode:");

    text[length > 0 ? length : 0] = '\0';
    if (length <= 0 || strncmp(text, "anon_inode:", strlen("anon_inode:")) != 0)
        return 0;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strncmp(kind, harmless[i], strlen(harmless[i])) == 0)
            return 0;
    if (strcmp(kind, "[io_uring]") == 0)
        return HOLDER_RING;
    if (strcmp(kind, "[userfaultfd]") == 0)
        return descriptor_is_ours((int)fd) ? 0 : HOLDER_PAGER;
    return HOLDER_DEVICE;
}

static unsigned judge(int directory, const char *name)
{
    long fd = strtol(name, NULL, 10);
    struct stat status;
    long flags;

    if (SYS_MUST(SYS_fstat, fd, &status) != 0)
        return 0; /* it was closed meanwhile */
    switch (status.st_mode & S_IFMT) {
    case S_IFREG:
    case S_IFBLK:
        flags = SYS_MUST(SYS_fcntl, fd, F_GETFL);
        return flags >= 0 && (flags & O_DIRECT) != 0 ? HOLDER_RING : 0;
    case S_IFCHR:
        return judge_device(directory, name, status.st_rdev);
    case S_IFSOCK:
        return judge_socket(fd);
    case 0:
        return judge_anonymous(directory, name, fd);
    default:
        return 0;
    }
}

/* What the open descriptors say. */
struct scan {
    int directory;
    unsigned found;
    long gap; /* the lowest number that was not among them */
};

/* The directory lists rising numbers. Its own is free again after the scan. */
static bool scan_descriptor(const char *name, void *context)
{
    struct scan *scan = context;
    long fd = strtol(name, NULL, 10);

    scan->found |= judge(scan->directory, name);
    scan->gap += fd == scan->gap && fd != scan->directory;
    return true;
}

static int scan_all(int directory)
{
    uint64_t start = usage_now();
    uint64_t now_changed = atomic_load(&changes);
    unsigned before = holders_known();
    struct status status;
    struct scan scan = {.directory = directory};
    int error = procfile_names(directory, scan_descriptor, &scan);

    if (error != 0)
        return error;
    /* A ring whose descriptor was closed shows only by its fixed buffers (VmPin); once these are gone it holds no memory. */
    atomic_store(&seen, status_read(&status) == 0 && status.pinned ? HOLDER_RING : 0);
    holders_note(scan.found);
    if ((scan.found & ~before) != 0)
        log_info("memory may be held by others:%s%s%s%s", scan.found & HOLDER_RING ? " a ring" : "",
                 scan.found & HOLDER_PAGER ? " a pager" : "", scan.found & HOLDER_DEVICE ? " a device" : "",
                 scan.found & HOLDER_READER ? " a sender" : "");
    atomic_store(&seen_gap, scan.gap);
    atomic_store(&seen_changes, now_changed);
    atomic_store(&seen_until, usage_now() + SCANS_APART * (usage_now() - start));
    return 0;
}

/* Whether nothing can have been opened since the last scan. */
static bool is_fresh(void)
{
    return usage_now() < atomic_load(&seen_until) && atomic_load(&changes) == atomic_load(&seen_changes) &&
           SYS_MUST(SYS_fcntl, atomic_load(&seen_gap), F_GETFD) == -EBADF;
}

/* Opened for each scan, which is rare: a number that is kept is one less for the program. */
static int scan_again(void)
{
    struct descriptor directory = DESCRIPTOR_NONE;
    long fd = SYS(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 ? (int)fd : descriptor_adopt(&directory, (int)fd);

    if (error != 0)
        return error;
    lock_take(&lock);
    error = scan_all(directory.fd);
    lock_drop(&lock);
    descriptor_drop(&directory);
    return error;
}

/* A filter that the process was started with may forbid what hardly any program calls, or kill for it. */
static bool is_filtered(void)
{
    static _Atomic int known; /* 0: not asked, 1: no, 2: yes */

    if (atomic_load_explicit(&known, memory_order_relaxed) == 0)
        atomic_store_explicit(&known, SYS(SYS_prctl, PR_GET_SECCOMP) == 0 ? 1 : 2, memory_order_relaxed);
    return atomic_load_explicit(&known, memory_order_relaxed) == 2;
}

/* Only whether there is one. CLONE_THREAD changes nothing, and is refused where there are more (unshare(2)): no call tells it sooner, and
   it needs no descriptor. */
static int count_threads(unsigned *threads)
{
    struct stat status;
    long error = is_filtered() ? -EPERM : SYS(SYS_unshare, CLONE_THREAD);

    if (error == 0 || error == -EINVAL) {
        *threads = error == 0 ? 1 : 2;
        return 0;
    }
    error = SYS(SYS_newfstatat, AT_FDCWD, "/proc/self/task", &status, 0);
    *threads = error == 0 && status.st_nlink == 3 ? 1 : 2; /* a directory for each, beside . and .. */
    return (int)error;
}

int holders_look(struct holders *holders)
{
    int error = count_threads(&holders->threads);

    if (error == 0 && !is_fresh())
        error = scan_again();
    if (error != 0)
        return error;
    holders->held = holders_known() | atomic_load(&seen);
    if (holders->threads == 1)
        thread_self.checked |= CHECKED_ALONE;
    return 0;
}

int holders_held(unsigned *held)
{
    struct holders holders;
    int error = 0;

    if (thread_self.inside && (thread_self.checked & CHECKED_ALONE) != 0)
        *held = holders_known() | atomic_load(&seen);
    else if ((error = holders_look(&holders)) == 0)
        *held = holders.held;
    return error;
}
