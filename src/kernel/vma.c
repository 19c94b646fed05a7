/* SPDX-License-Identifier: MIT */
#include "kernel/vma.h"

#include <errno.h>
#include <linux/ioctl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/config.h"
#include "base/sys.h"
#include "kernel/fallback.h"
#include "kernel/procfile.h"

#include "base/poison.h"

/* From Linux 6.11's <linux/fs.h>. */
struct procmap_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
    uint64_t vma_name_addr, build_id_addr;
};

#define QUERY_IOCTL _IOWR('f', 17, struct procmap_query)
#define VMA_READABLE 1
#define VMA_WRITABLE 2
#define VMA_EXECUTABLE 4
#define VMA_SHARED 8

static bool available = true;
static _Atomic bool hugetlb;

void vma_init(void)
{
    struct vma vma;
    static char probe;

    available = !fallback_forced(FALLBACK_vma);
    if (config_glibc_tunable("glibc.malloc.hugetlb"))
        vma_note_hugetlb();
    if (available && vma_query((uintptr_t)&probe, &vma) != 0)
        available = false;
}

bool vma_available(void)
{
    return available;
}

void vma_note_hugetlb(void)
{
    atomic_store_explicit(&hugetlb, true, memory_order_relaxed);
}

bool vma_must_ask(void)
{
    return available || atomic_load_explicit(&hugetlb, memory_order_relaxed);
}

int vma_query(uintptr_t address, struct vma *vma)
{
    struct procmap_query q = {.size = sizeof q, .query_addr = address};
    int fd;
    long error;

    if (!available)
        return -ENOSYS;
    fd = procfile_use_once(PROCFILE_MAPS);
    if (fd < 0)
        return fd;
    error = SYS(SYS_ioctl, fd, QUERY_IOCTL, &q);
    if (error != 0)
        return (int)error;
    vma->start = q.vma_start;
    vma->end = q.vma_end;
    vma->readable = (q.vma_flags & VMA_READABLE) != 0;
    vma->writable = (q.vma_flags & VMA_WRITABLE) != 0;
    vma->executable = (q.vma_flags & VMA_EXECUTABLE) != 0;
    vma->shared = (q.vma_flags & VMA_SHARED) != 0;
    vma->offset = q.vma_offset;
    vma->device = makedev(q.dev_major, q.dev_minor);
    vma->inode = q.inode;
    return 0;
}
