/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "base/page.h"
#include "base/sys.h"
#include "kernel/pagemap.h"

#include "base/poison.h"

#define BIT_FILE (UINT64_C(1) << 61)
#define BIT_SWAPPED (UINT64_C(1) << 62)
#define BIT_PRESENT (UINT64_C(1) << 63)

#define ENTRIES 256 /* on the stack: 2 KiB, one MiB of memory a call */

static bool wanted(enum pagemap_want want, uint64_t entry)
{
    return (entry & (BIT_PRESENT | BIT_SWAPPED)) != 0 && (want == PAGES_TOUCHED || (entry & BIT_FILE) == 0);
}

/* Adds one wanted page; false when there is no room for another run. */
static bool append(struct page_run *runs, size_t *count, size_t max, uintptr_t page)
{
    if (*count > 0 && runs[*count - 1].end == page) {
        runs[*count - 1].end += page_size;
        return true;
    }
    if (*count == max)
        return false;
    runs[*count].start = page;
    runs[*count].end = page + page_size;
    ++*count;
    return true;
}

static int read_runs(int fd, enum pagemap_want want, uintptr_t start, uintptr_t end, struct page_run *runs, size_t max, size_t most,
                     uintptr_t *walked)
{
    uint64_t entries[ENTRIES];
    size_t count = 0;

    while (start < end) {
        size_t pages = (end - start) / page_size < ENTRIES ? (end - start) / page_size : ENTRIES;
        long got = SYS(SYS_pread64, fd, entries, pages * sizeof *entries, start / page_size * sizeof *entries);

        if (got <= 0)
            return got < 0 ? (int)got : -EIO;
        for (size_t i = 0; i < (size_t)got / sizeof *entries; i++, start += page_size)
            if (wanted(want, entries[i]) && (!append(runs, &count, max, start) || most == 1)) {
                *walked = start + (most == 1 ? page_size : 0);
                return (int)count;
            }
    }
    *walked = end;
    return (int)count;
}

const struct pagemap_variant pagemap_read = {"pagemap", read_runs};

bool pagemap_read_names(uintptr_t page)
{
    long fd = SYS(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    uint64_t entry = 0;

    if (fd < 0)
        return false;
    SYS(SYS_pread64, fd, &entry, sizeof entry, page / page_size * sizeof entry);
    SYS_MUST(SYS_close, fd);
    return (entry & BIT_PRESENT) != 0 && (entry & BIT_FILE) != 0;
}
