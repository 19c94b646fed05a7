/* SPDX-License-Identifier: MIT */
/* userfaultfd in write-protect mode, without a monitor: nobody reads the events. A writer sleeps in the kernel until the run is
   mapped over and woken, and then faults on what is mapped there. Needs write protection of shared memory (Linux 5.19) for runs
   that are private pages above a store. In user mode only (the unprivileged kind) a system call that writes to the run gets
   EFAULT instead of sleeping: the caller keeps runs short. Source: Documentation/admin-guide/mm/userfaultfd.rst. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/userfaultfd.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "base/lock.h"
#include "base/page.h"
#include "base/sys.h"
#include "kernel/descriptor.h"
#include "kernel/fallback.h"
#include "kernel/map.h"
#include "kernel/vma_text.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
/* Linux 6.4: protection of pages that are not there yet, too. */
#define FEATURE_WP_UNPOPULATED (UINT64_C(1) << 13)

static struct lock lock = LOCK_INITIALIZER(LOCK_KERNEL);
static struct descriptor context = DESCRIPTOR_NONE;
static bool protects_holes;
static bool one_mapping_only; /* as before Linux 6.3 */
static _Atomic int refused;   /* -errno once the kernel said no */

static int handshake(int fd, uint64_t features)
{
    struct uffdio_api api = {.api = UFFD_API, .features = features};

    return (int)SYS(SYS_ioctl, fd, UFFDIO_API, &api);
}

static int open_with(uint64_t features)
{
    long fd = SYS(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    int error;

    if (fd < 0)
        fd = SYS(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (fd < 0)
        return (int)fd;
    error = handshake((int)fd, features);
    if (error != 0) {
        SYS_MUST(SYS_close, fd);
        return error;
    }
    return descriptor_adopt(&context, (int)fd);
}

static int open_context(void)
{
    const uint64_t needed = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
    int error = open_with(needed | FEATURE_WP_UNPOPULATED);

    protects_holes = error == 0;
    return error == -EINVAL ? open_with(needed) : error;
}

static int context_use(void)
{
    int fd;

    lock_take(&lock);
    fd = descriptor_use(&context);
    if (fd < 0) {
        int error = open_context();

        fd = error != 0 ? error : context.fd;
    }
    lock_drop(&lock);
    return fd;
}

int uffd_probe(void)
{
    int fd;

    if (atomic_load(&refused) != 0)
        return atomic_load(&refused);
    fd = context_use();
    if (fd == -EPERM || fd == -ENOSYS || fd == -EINVAL)
        atomic_store(&refused, fd);
    return fd < 0 ? fd : 0;
}

void uffd_after_fork(void)
{
    descriptor_drop(&context); /* it speaks of the parent's memory */
}

static void wake(int fd, uintptr_t start, uintptr_t end)
{
    struct uffdio_range range = {start, end - start};

    SYS_MUST(SYS_ioctl, fd, UFFDIO_WAKE, &range);
}

static void uffd_cancel(uintptr_t start, uintptr_t end)
{
    struct uffdio_range range = {start, end - start};
    int fd = context_use();

    if (fd < 0)
        return;
    SYS_MUST(SYS_ioctl, fd, UFFDIO_UNREGISTER, &range); /* lifts the protection */
    wake(fd, start, end);
}

void uffd_init(void)
{
    one_mapping_only = fallback_forced(FALLBACK_uffd_pieces);
}

static bool in_one_mapping(uintptr_t start, uintptr_t end)
{
    struct vma_walk walk;
    struct vma vma;

    vma_walk_begin(&walk);
    return vma_walk_at(&walk, start, &vma) == 0 && vma.end >= end;
}

/* Before Linux 6.3 (commit a1b92a3f1498) a range of several mappings is -ENOENT: halves of it are tried, until each lies in one.
   An array is two as soon as the program advises huge pages for a part of it. What /proc/self/maps would tell costs a reading of
   all mappings before, this a few calls for each boundary. */
static int protect(int fd, uintptr_t start, uintptr_t end)
{
    struct uffdio_writeprotect request = {.range = {start, end - start}, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
    uintptr_t middle = page_down(start + (end - start) / 2);
    int error = one_mapping_only && !in_one_mapping(start, end) ? -ENOENT : (int)SYS(SYS_ioctl, fd, UFFDIO_WRITEPROTECT, &request);

    if (error != -ENOENT || middle == start)
        return error;
    error = protect(fd, start, middle);
    return error != 0 ? error : protect(fd, middle, end);
}

static int uffd_stop_writers(uintptr_t start, uintptr_t end)
{
    struct uffdio_register reg = {.range = {start, end - start}, .mode = UFFDIO_REGISTER_MODE_WP};
    int fd = context_use();
    long error;

    if (fd < 0)
        return fd;
    error = protects_holes ? 0 : map_populate_read(start, end - start);
    if (error == 0)
        error = SYS(SYS_ioctl, fd, UFFDIO_REGISTER, &reg);
    if (error != 0)
        return (int)error;
    error = protect(fd, start, end);
    if (error != 0)
        uffd_cancel(start, end);
    return (int)error;
}

static void uffd_replaced(uintptr_t start, uintptr_t end)
{
    int fd = context_use();

    if (fd >= 0)
        wake(fd, start, end);
}

const struct write_guard write_guard_uffd = {"userfaultfd", true, uffd_stop_writers, uffd_replaced, uffd_cancel};
