/* SPDX-License-Identifier: MIT */
/* The calls of the kernel that the shim asks for. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/page.h"
#include "base/sys.h"
#include "command/doctor/doctor.h"
#include "engine/report/export_page.h"
#include "kernel/exportfile.h"
#include "kernel/pagemap.h"
#include "kernel/vma.h"
#include "kernel/write_guard.h"

static void pages(struct findings *findings)
{
    const char *name = pagemap_name();

    if (strcmp(name, pagemap_scan.name) == 0)
        finding_add(findings, "pages", VERDICT_OK, "PAGEMAP_SCAN tells which pages are private");
    else if (strcmp(name, pagemap_read.name) == 0)
        finding_add_missing(findings, "pages", VERDICT_DEGRADED, FALLBACK_scan);
    else
        finding_add_missing(findings, "pages", VERDICT_MISSING, FALLBACK_pagemap);
}

static void mappings(struct findings *findings)
{
    if (vma_available())
        finding_add(findings, "mappings", VERDICT_OK, "PROCMAP_QUERY confirms what is mapped before it is replaced");
    else
        finding_add_missing(findings, "mappings", VERDICT_DEGRADED, FALLBACK_vma);
}

/* More than the table knows: why there is none here. */
static void remedy_uffd(struct finding *finding, int error)
{
    if (error == -EPERM)
        finding_remedy(finding, "sysctl vm.unprivileged_userfaultfd=1, or a seccomp profile that allows userfaultfd()");
    else if (error == -EINVAL)
        finding_remedy(finding, "Linux 5.19 or later: write protection of shared memory by userfaultfd");
    else if (error == -ENOSYS)
        finding_remedy(finding, "a kernel with CONFIG_USERFAULTFD, or a seccomp profile that allows userfaultfd()");
    else if (error != 0)
        finding_remedy(finding, "userfaultfd() says: %s", strerror(-error));
}

/* Two mappings, as NumPy's advice makes of an array: 0 or -errno. */
static int try_to_stop_writers(const struct write_guard *guard)
{
    size_t half = 16 * page_size;
    char *memory = mmap(NULL, 2 * half, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int error;

    if (memory == MAP_FAILED)
        return -errno;
    madvise(memory + half, half, MADV_DONTDUMP);
    for (size_t at = 0; at < 2 * half; at += page_size)
        memory[at] = 1;
    error = guard->stop_writers((uintptr_t)memory, (uintptr_t)memory + 2 * half);
    if (error == 0)
        guard->cancel((uintptr_t)memory, (uintptr_t)memory + 2 * half);
    munmap(memory, 2 * half);
    return error;
}

/* Threads that write while their pages move into a store. The shim itself picks by the same function. */
static void guard(struct findings *findings)
{
    const struct write_guard *picked = write_guard_pick(2);
    int error = picked == NULL ? 0 : try_to_stop_writers(picked);

    if (error != 0)
        finding_remedy(finding_add(findings, "other threads", VERDICT_DEGRADED,
                                   "%s does not hold off their writes (%s): programs with threads copy plainly", picked->name,
                                   strerror(-error)),
                       "please report this; COWSHIM_LOG=debug says more");
    else if (picked == &write_guard_uffd)
        finding_add(findings, "other threads", VERDICT_OK, "userfaultfd holds off their writes while pages move");
    else
        remedy_uffd(finding_add_missing(findings, "other threads", VERDICT_DEGRADED,
                                        picked == &write_guard_mprotect ? FALLBACK_uffd : FALLBACK_mprotect),
                    uffd_probe());
}

static void page(struct findings *findings)
{
    struct descriptor file;
    uintptr_t start;
    const size_t size = EXPORT_BLOCKS_OFFSET;
    int error = exportfile_open(EXPORT_NAME, size, size, &file, &start);

    if (error != 0) {
        finding_remedy(finding_add(findings, "exported page", VERDICT_DEGRADED, "cowshim stat, top and map will see no process (%s)",
                                   strerror(-error)),
                       "Linux 5.1 or later, and memfd_create() and F_ADD_SEALS allowed");
        return;
    }
    exportfile_close(&file, start, size);
    finding_add(findings, "exported page", VERDICT_OK, "cowshim stat, top and map can look into processes");
}

static void filters(struct findings *findings)
{
    char text[4096];
    const char *line = sys_read_file("/proc/self/status", text, sizeof text) > 0 ? strstr(text, "\nSeccomp:") : NULL;
    const char *container = access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 ? "in a container" : "";

    if (line != NULL && line[10] == '2')
        finding_remedy(finding_add(findings, "seccomp", VERDICT_OK, "a filter of system calls is at work here%s%s",
                                   *container == '\0' ? "" : ", ", container),
                       "if something above is not ok: the filter may forbid it (docker run --security-opt seccomp=...)");
    else
        finding_add(findings, "seccomp", VERDICT_OK, "no filter of system calls%s%s", *container == '\0' ? "" : ", ", container);
}

void doctor_kernel(struct findings *findings)
{
    pages(findings);
    mappings(findings);
    guard(findings);
    page(findings);
    filters(findings);
}
