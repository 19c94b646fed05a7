/* SPDX-License-Identifier: MIT */
#include "kernel/storefile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/config.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/page.h"
#include "base/sys.h"
#include "kernel/fallback.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"

#include "base/poison.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

static struct lock lock = LOCK_INITIALIZER(LOCK_KERNEL);
static struct descriptor mount_point = DESCRIPTOR_NONE;
static enum { HUGE_UNKNOWN, HUGE_HAVE, HUGE_HAVE_NOT } huge_state;
static bool huge_unnamed;
static bool memfd_off;

void storefile_init(void)
{
    memfd_off = fallback_forced(FALLBACK_memfd);
    if (config_choice(huge) == HUGE_OFF || fallback_forced(FALLBACK_tmpfs))
        huge_state = HUGE_HAVE_NOT;
}

bool storefile_counted(void)
{
    return fallback_forced(FALLBACK_overcommit) || sys_read_number("/proc/sys/vm/overcommit_memory", 0) == 2;
}

/* Never inlined: tests/preload/faults.sh lets each place fail by itself, and a second call comes only after the first failed. */
static __attribute__((noinline)) long create_memfd(unsigned flags)
{
    return SYS(SYS_memfd_create, "cowshim", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
}

static int open_memfd(void)
{
    long fd;

    if (memfd_off)
        return -ENOSYS;
    fd = create_memfd(MFD_NOEXEC_SEAL); /* since Linux 6.3 */
    if (fd == -EINVAL)
        fd = create_memfd(0);
    if (fd >= 0)
        SYS(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SHRINK); /* nobody, not even we, cuts off what is mapped */
    return (int)fd;
}

static int open_huge(void)
{
    int mount = descriptor_use(&mount_point);

    return mount < 0 ? mount : tmpfs_open(mount);
}

static bool size_allowed(uint64_t size)
{
    struct rlimit limit;

    return SYS_MUST(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &limit) == 0 && (limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur);
}

int storefile_extend(int fd, uint64_t size)
{
    if (!size_allowed(size))
        return -EFBIG;
    return (int)SYS(SYS_ftruncate, fd, size);
}

int storefile_write(int fd, uintptr_t from, size_t size, uint64_t offset)
{
    if (!size_allowed(offset + size))
        return -EFBIG;
    while (size > 0) {
        long written = SYS(SYS_pwrite64, fd, from, size, offset);

        if (written == -EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? (int)written : -ENOSPC;
        from += (size_t)written;
        offset += (uint64_t)written;
        size -= (size_t)written;
    }
    return 0;
}

int storefile_read(int fd, void *to, size_t size, uint64_t offset)
{
    long got = SYS(SYS_pread64, fd, to, size, offset); /* short only at the end of the file, where nothing is shown */

    return got == (long)size ? 0 : got < 0 ? (int)got : -EIO;
}

int storefile_punch(int fd, uint64_t offset, uint64_t size)
{
    return (int)SYS(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
}

int storefile_allocated(int fd, uint64_t *bytes)
{
    struct stat status;
    long error = SYS(SYS_fstat, fd, &status);

    *bytes = error == 0 ? (uint64_t)status.st_blocks * 512 : 0;
    return (int)error;
}

/* A byte in an empty file of one unit: huge pages are there if the whole unit is allocated. */
static bool gives_huge_pages(int fd)
{
    static const char byte = 1;
    uint64_t allocated = 0;

    return storefile_extend(fd, HUGE_SIZE) == 0 && storefile_write(fd, (uintptr_t)&byte, 1, 0) == 0 &&
           storefile_allocated(fd, &allocated) == 0 && allocated == HUGE_SIZE;
}

/* Reads a byte of the unit, and looks at a page so far from it that only a huge entry brings both in. */
static bool huge_pages_are_named(int fd)
{
    uintptr_t memory, unit;
    bool named = false;

    if (pagemap_names_huge(0))
        return true;
    if (map_temporary(2 * HUGE_SIZE, &memory) != 0)
        return false;
    unit = align_up(memory, HUGE_SIZE);
    if (map_file(unit, HUGE_SIZE, fd, 0) == 0) {
        *(const volatile char *)unit;
        named = pagemap_names_huge(unit + HUGE_SIZE / 2);
    }
    map_end_temporary(memory, 2 * HUGE_SIZE);
    return named;
}

static int mount_and_try(void)
{
    int mount = tmpfs_mount();
    int error = mount < 0 ? mount : descriptor_adopt(&mount_point, mount);
    int fd;
    bool huge;

    if (error != 0)
        return error;
    fd = open_huge();
    huge = fd >= 0 && gives_huge_pages(fd);
    huge_unnamed = huge && !huge_pages_are_named(fd);
    huge = huge && !huge_unnamed;
    if (fd >= 0)
        SYS_MUST(SYS_close, fd);
    if (!huge)
        descriptor_drop(&mount_point);
    return huge ? 0 : -EOPNOTSUPP;
}

bool storefile_huge_available(void)
{
    bool available;

    lock_take(&lock);
    if (huge_state == HUGE_UNKNOWN) {
        int error = mount_and_try();

        huge_state = error == 0 ? HUGE_HAVE : HUGE_HAVE_NOT;
        if (error != 0)
            log_info("no store on huge pages (error %d): using memfd", -error);
    }
    available = huge_state == HUGE_HAVE;
    lock_drop(&lock);
    return available;
}

bool storefile_huge_unnamed(void)
{
    return huge_unnamed;
}

static bool memfd_has_small_pages(void)
{
    char text[128];

    return sys_read_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled", text, sizeof text) <= 0 || strstr(text, "[never]") != NULL ||
           strstr(text, "[deny]") != NULL;
}

size_t storefile_largest_page(enum storefile_kind kind)
{
    return kind == STOREFILE_SMALL && memfd_has_small_pages() ? page_size : HUGE_SIZE;
}

/* Where the administrator gives memfds huge pages, or lets the program ask for them, they must be named as those of tmpfs. */
static bool memfd_is_safe(void)
{
    static _Atomic int known; /* 0: not asked, 1: no, 2: yes */

    if (atomic_load_explicit(&known, memory_order_relaxed) == 0)
        atomic_store_explicit(&known, pagemap_names_huge(0) || memfd_has_small_pages() || storefile_huge_available() ? 2 : 1,
                              memory_order_relaxed);
    return atomic_load_explicit(&known, memory_order_relaxed) == 2;
}

int storefile_open(enum storefile_kind kind, struct descriptor *file)
{
    int fd = kind == STOREFILE_HUGE ? open_huge() : memfd_is_safe() ? open_memfd() : -EOPNOTSUPP;

    return fd < 0 ? fd : descriptor_adopt(file, fd);
}
