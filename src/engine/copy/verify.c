/* SPDX-License-Identifier: MIT */
#include "engine/copy/verify.h"

#include <errno.h>

#include "kernel/vma_text.h"

#include "base/poison.h"

bool verify_shows(const struct vma *vma, const struct extent *extent, uintptr_t address)
{
    const struct descriptor *file = &extent->store->file->descriptor;

    return vma->inode == file->inode && vma->device == file->device &&
           vma->offset + (address - vma->start) == extent_offset(extent, address);
}

int verify_range(const struct block *block, uintptr_t start, uintptr_t end)
{
    const struct extent *extent = extent_from(block, start);
    struct vma_walk walk;

    if (!vma_must_ask() && !block_foreign(block))
        return 0;
    vma_walk_begin(&walk);
    while (start < end) {
        struct vma vma;
        bool in_extent = extent != NULL && extent_start(extent) <= start;
        uintptr_t known = extent == NULL ? end : in_extent ? extent_end(extent) : extent_start(extent);
        int error = vma_walk_at(&walk, start, &vma);

        if (error != 0)
            return error == -ENOENT ? -ESTALE : error;
        if (!vma.readable || !vma.writable || vma.executable || vma.shared ||
            (in_extent ? !verify_shows(&vma, extent, start) : vma.inode != 0))
            return -ESTALE;
        start = min_address(known, vma.end);
        if (in_extent && start == extent_end(extent))
            extent = extent_after(extent);
    }
    return 0;
}
