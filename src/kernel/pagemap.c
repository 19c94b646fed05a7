/* SPDX-License-Identifier: MIT */
#include "kernel/pagemap.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "base/page.h"
#include "base/sys.h"
#include "kernel/fallback.h"
#include "kernel/procfile.h"

#include "base/poison.h"

#define PR_GET_MEMORY_MERGE 68 /* Linux 6.4 */

static const struct pagemap_variant *variant = &pagemap_scan;
static _Atomic bool merging;

void pagemap_note_merging(void)
{
    atomic_store(&merging, true);
}

bool pagemap_merging(void)
{
    return atomic_load_explicit(&merging, memory_order_relaxed);
}

void pagemap_init(void)
{
    static char probe;
    struct page_run run;
    uintptr_t walked;
    uintptr_t page = page_down((uintptr_t)&probe);

    if (SYS_MUST(SYS_prctl, PR_GET_MEMORY_MERGE, 0, 0, 0, 0) == 1) /* inherited */
        pagemap_note_merging();
    variant = &pagemap_scan;
    if (fallback_forced(FALLBACK_pagemap)) {
        variant = NULL;
        return;
    }
    if (fallback_forced(FALLBACK_scan) || pagemap_runs(PAGES_TOUCHED, page, page + page_size, &run, 1, &walked) < 0)
        variant = &pagemap_read;
    if (pagemap_runs(PAGES_TOUCHED, page, page + page_size, &run, 1, &walked) < 0)
        variant = NULL;
}

const char *pagemap_name(void)
{
    return variant == NULL ? "none" : variant->name;
}

static int find_runs(enum pagemap_want want, uintptr_t start, uintptr_t end, struct page_run *runs, size_t max, size_t most,
                     uintptr_t *walked)
{
    int fd;

    if (variant == NULL)
        return -ENOSYS;
    fd = variant == &pagemap_scan ? procfile_use_once(PROCFILE_PAGEMAP) : procfile_use(PROCFILE_PAGEMAP);
    if (fd < 0)
        return fd;
    return variant->runs(fd, want, start, end, runs, max, most, walked);
}

int pagemap_runs(enum pagemap_want want, uintptr_t start, uintptr_t end, struct page_run *runs, size_t max, uintptr_t *walked)
{
    return find_runs(want, start, end, runs, max, 0, walked);
}

int pagemap_any(enum pagemap_want want, uintptr_t start, uintptr_t end)
{
    struct page_run run;
    uintptr_t walked;

    return find_runs(want, start, end, &run, 1, 1, &walked);
}

bool pagemap_names_huge(uintptr_t page)
{
    return variant == &pagemap_scan || (page != 0 && !fallback_forced(FALLBACK_huge_named) && pagemap_read_names(page));
}

size_t pagemap_pages_in(const struct page_run *runs, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += runs[i].end - runs[i].start;
    return bytes / page_size;
}
