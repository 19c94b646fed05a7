/* SPDX-License-Identifier: MIT */
/* What a range of the program's memory keeps for itself, and what it shows of stores and files. */
#include <errno.h>

#include "base/page.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine/process/entry.h"
#include "kernel/descriptor.h"
#include "kernel/pagemap.h"
#include "kernel/vma_text.h"

#include "base/poison.h"

/* The private pages of a range of whole pages, as bytes of [start, end). */
static int count_private(uintptr_t start, uintptr_t end, uintptr_t at, uintptr_t stop, uint64_t *bytes)
{
    struct page_run runs[32];

    while (at < stop) {
        int count = pagemap_runs(PAGES_PRIVATE, at, stop, runs, 32, &at);

        if (count < 0)
            return -ENOSYS;
        for (int i = 0; i < count; i++)
            *bytes += common_bytes(start, end, runs[i].start, runs[i].end);
    }
    return 0;
}

static int residency(uintptr_t start, uintptr_t end, uint64_t *own, uint64_t *shown)
{
    uintptr_t at = page_down(start);
    struct vma_walk walk;

    vma_walk_begin(&walk);
    while (at < end) {
        struct vma vma;
        uint64_t bytes = 0;
        int error = vma_walk_at(&walk, at, &vma);
        uintptr_t stop;

        if (error != 0)
            return error == -ENOENT ? -EFAULT : -ENOSYS;
        stop = min_address(vma.end, page_up(end));
        error = count_private(start, end, at, stop, &bytes);
        if (error != 0)
            return error;
        *own += bytes;
        if (vma.inode != 0)
            *shown += common_bytes(start, end, at, stop) - bytes;
        at = stop;
    }
    return 0;
}

int engine_residency(const void *start, size_t size, uint64_t *own, uint64_t *shown)
{
    struct entry entry;
    int error;

    *own = 0;
    *shown = 0;
    if (!entry_begin_quiet(&entry))
        return -EAGAIN;
    engine_wake();
    error = descriptor_in_own_process() ? residency((uintptr_t)start, (uintptr_t)start + size, own, shown) : -EAGAIN;
    entry_end(&entry);
    return error;
}
