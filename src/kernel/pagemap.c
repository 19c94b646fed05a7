/* SPDX-License-Identifier: MIT */
#include "kernel/pagemap.h"

#include <errno.h>

#include "base/page.h"
#include "kernel/fallback.h"
#include "kernel/procfile.h"

#include "base/poison.h"

static const struct pagemap_variant *variant = &pagemap_scan;

void pagemap_init(void)
{
    static char probe;
    struct page_run run;
    uintptr_t walked;
    uintptr_t page = page_down((uintptr_t)&probe);

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

int pagemap_runs(enum pagemap_want want, uintptr_t start, uintptr_t end, struct page_run *runs, size_t max, uintptr_t *walked)
{
    int fd;

    if (variant == NULL)
        return -ENOSYS;
    fd = procfile_use(PROCFILE_PAGEMAP);
    if (fd < 0)
        return fd;
    return variant->runs(fd, want, start, end, runs, max, walked);
}

int pagemap_any(enum pagemap_want want, uintptr_t start, uintptr_t end)
{
    struct page_run run;
    uintptr_t walked;

    return pagemap_runs(want, start, end, &run, 1, &walked);
}
