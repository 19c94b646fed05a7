/* SPDX-License-Identifier: MIT */
#include <linux/ioctl.h>
#include <sys/syscall.h>

#include "base/sys.h"
#include "kernel/pagemap.h"

#include "base/poison.h"

/* From Linux 6.7's <linux/fs.h>, which Debian 12 does not have yet. */
struct scan_region {
    uint64_t start, end, categories;
};

struct scan_arguments {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arguments)
#define SCAN_FILE (UINT64_C(1) << 2)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)
#define SCAN_PFNZERO (UINT64_C(1) << 5)

#define REGIONS 64 /* on the stack: threads may have little of it */

static struct scan_arguments question(enum pagemap_want want, uintptr_t end, struct scan_region *regions)
{
    struct scan_arguments q = {.size = sizeof q, .end = end, .vec = (uintptr_t)regions};

    q.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED;
    if (want == PAGES_PRIVATE) {
        q.category_mask = pagemap_merging() ? SCAN_FILE : SCAN_FILE | SCAN_PFNZERO;
        q.category_inverted = q.category_mask;
    }
    return q;
}

/* One run can come as several regions, at the kernel's own batch boundaries: join those that touch. */
static size_t append(struct page_run *runs, size_t count, const struct scan_region *region)
{
    if (count > 0 && runs[count - 1].end == region->start) {
        runs[count - 1].end = region->end;
        return count;
    }
    runs[count].start = region->start;
    runs[count].end = region->end;
    return count + 1;
}

static int scan_runs(int fd, enum pagemap_want want, uintptr_t start, uintptr_t end, struct page_run *runs, size_t max, size_t most,
                     uintptr_t *walked)
{
    struct scan_region regions[REGIONS];
    struct scan_arguments q = question(want, end, regions);
    size_t count = 0;

    q.max_pages = most;
    while (start < end && count < max) {
        size_t room = max - count;
        long got;

        q.start = start;
        q.vec_len = room < REGIONS ? room : REGIONS;
        got = SYS(SYS_ioctl, fd, SCAN_IOCTL, &q);
        if (got < 0)
            return (int)got;
        for (long i = 0; i < got; i++)
            count = append(runs, count, &regions[i]);
        start = q.walk_end;
    }
    *walked = start;
    return (int)count;
}

const struct pagemap_variant pagemap_scan = {"PAGEMAP_SCAN", scan_runs};
