/* SPDX-License-Identifier: MIT */
#include "kernel/map.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/sys.h"
#include "kernel/status.h"
#include "kernel/vma.h"

#include "base/poison.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Kernels before 6.12 unmap the old range before they charge the new one (vm.overcommit_memory=2), so that a failing
   mmap(MAP_FIXED) can leave a hole. The charge of the old range was just given back, so that trying again succeeds
   unless another process took it. We try until it does, because the range must not stay unmapped. */
#define INSIST 1000

static bool is_hole(uintptr_t start)
{
    unsigned char resident;

    return SYS_MUST(SYS_mincore, start, 1, &resident) == -ENOMEM;
}

static int map_over(uintptr_t start, size_t size, int flags, int fd, uint64_t offset)
{
    long got = SYS(SYS_mmap, start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | flags, fd, offset);

    for (int i = 0; got == -ENOMEM && i < INSIST && is_hole(start); i++) {
        sys_pause(1);
        got = SYS_MUST(SYS_mmap, start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | flags, fd, offset);
    }
    return got < 0 && got > -4096 ? (int)got : 0;
}

int map_file(uintptr_t start, size_t size, int fd, uint64_t offset)
{
    return map_over(start, size, 0, fd, offset);
}

int map_zero(uintptr_t start, size_t size, bool huge)
{
    int error = map_over(start, size, MAP_ANONYMOUS, -1, 0);

    if (error == 0 && huge)
        SYS(SYS_madvise, start, size, MADV_HUGEPAGE); /* may fail: the memory is right without it */
    return error;
}

int map_discard(uintptr_t start, size_t size)
{
    return (int)SYS(SYS_madvise, start, size, MADV_DONTNEED);
}

int map_move(uintptr_t from, uintptr_t to, size_t size)
{
    long got = SYS(SYS_mremap, from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);

    if (got >= 0 || got <= -4096)
        return 0;
    if (is_hole(to)) /* before 6.17 the target is unmapped before the move is found to be impossible */
        map_zero(to, size, false);
    return (int)got;
}

int map_temporary(size_t size, uintptr_t *start)
{
    long got = SYS(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (got < 0 && got > -4096)
        return (int)got;
    *start = (uintptr_t)got;
    return 0;
}

void map_end_temporary(uintptr_t start, size_t size)
{
    SYS_MUST(SYS_munmap, start, size);
}

int map_replace(uintptr_t temporary, uintptr_t target, size_t size)
{
    long got = SYS(SYS_mremap, temporary, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target);

    return got < 0 && got > -4096 ? (int)got : 0;
}

bool map_readable(uintptr_t page)
{
    unsigned nobody = 0;

    return SYS_MUST(SYS_futex, page, FUTEX_CMP_REQUEUE_PRIVATE, 0, 0, &nobody, 0) != -EFAULT;
}

/* futex(2) reads the word, or adds nothing to it, and wakes nobody: the cheapest calls that fault like the program would. */
unsigned map_access(uintptr_t page)
{
    unsigned add_nothing = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);
    unsigned nobody = 0;
    bool readable = map_readable(page);
    bool writable = readable && SYS_MUST(SYS_futex, &nobody, FUTEX_WAKE_OP_PRIVATE, 0, 0, page, add_nothing) != -EFAULT;

    return (readable ? ACCESS_READ : 0) | (writable ? ACCESS_WRITE : 0);
}

int map_protect(uintptr_t start, size_t size, unsigned access)
{
    int protection =
        (access & ACCESS_READ ? PROT_READ : 0) | (access & ACCESS_WRITE ? PROT_WRITE : 0) | (access & ACCESS_EXECUTE ? PROT_EXEC : 0);

    return (int)SYS_MUST(SYS_mprotect, start, size, protection);
}

/* The kernel refuses this advice for locked memory; elsewhere it changes nothing that anybody sees. Before Linux 5.4 it refuses it
   everywhere. */
bool map_locked(uintptr_t start, size_t size)
{
    struct status status;

    return status_read(&status) != 0 || (status.locked && SYS_MUST(SYS_madvise, start, size, MADV_COLD) == -EINVAL);
}

int map_populate_read(uintptr_t start, size_t size)
{
    return (int)SYS(SYS_madvise, start, size, MADV_POPULATE_READ);
}

int map_populate_write(uintptr_t start, size_t size)
{
    return (int)SYS(SYS_madvise, start, size, MADV_POPULATE_WRITE);
}

size_t map_limit(void)
{
    return sys_read_number("/proc/sys/vm/max_map_count", 65530);
}
