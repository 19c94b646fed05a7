/* SPDX-License-Identifier: MIT */
#include "engine/verify.h"

#include <errno.h>

#include "engine/extent.h"
#include "kernel/vma.h"

#include "base/poison.h"

static bool shows_store(const struct vma *vma, const struct extent *extent, uintptr_t address)
{
    return vma->inode == extent->store->file.inode && vma->device == extent->store->file.device &&
           vma->offset + (address - vma->start) == extent_offset(extent, address);
}

int verify_range(const struct block *block, uintptr_t start, uintptr_t end)
{
    const struct extent *extent = extent_from(block, start);

    if (!vma_available())
        return 0;
    while (start < end) {
        struct vma vma;
        bool in_extent = extent != NULL && extent_start(extent) <= start;
        uintptr_t known = extent == NULL ? end : in_extent ? extent_end(extent) : extent_start(extent);
        int error = vma_query(start, &vma);

        if (error != 0)
            return error == -ENOENT ? -ESTALE : error;
        if (!vma.readable || !vma.writable || vma.shared || (in_extent ? !shows_store(&vma, extent, start) : vma.inode != 0))
            return -ESTALE;
        start = min_address(known, vma.end);
        if (in_extent && start == extent_end(extent))
            extent = extent_after(extent);
    }
    return 0;
}
