/* SPDX-License-Identifier: MIT */
#include "kernel/witness.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/page.h"
#include "base/sys.h"
#include "kernel/procfile.h"
#include "kernel/usage.h"

#include "base/poison.h"

#define BIT_EXCLUSIVE (UINT64_C(1) << 56)
#define BIT_SWAPPED (UINT64_C(1) << 62)
#define BIT_PRESENT (UINT64_C(1) << 63)

/* The kernel may merge equal pages of all processes (KSM) and split them again. Then our page could be mapped once although a process that
   was copied with it still lives. No other page has these contents, so that this one is never merged. */
static void make_unique(volatile uint64_t *words)
{
    words[0] = (uint64_t)(uintptr_t)words;
    words[1] = (uint64_t)sys_process();
    words[2] = usage_now();
}

int witness_begin(struct witness *witness)
{
    long page = SYS(SYS_mmap, 0, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    witness->page = 0;
    if (page < 0 && page > -4096)
        return (int)page;
    SYS_MUST(SYS_madvise, page, page_size, MADV_NOHUGEPAGE); /* a page of its own: its count is its own, too */
    make_unique((volatile uint64_t *)page);
    witness->page = (uintptr_t)page;
    return 0;
}

enum witness_says witness_ask(const struct witness *witness)
{
    int pagemap = procfile_use(PROCFILE_PAGEMAP);
    uint64_t entry;

    if (witness->page == 0 || pagemap < 0 ||
        SYS(SYS_pread64, pagemap, &entry, sizeof entry, witness->page / page_size * sizeof entry) != sizeof entry)
        return WITNESS_SILENT;
    /* Swapped out, a copy may hold the other half of it. Nobody reads it, so that it never comes back in. */
    if ((entry & (BIT_PRESENT | BIT_SWAPPED)) != BIT_PRESENT)
        return WITNESS_SILENT;
    return (entry & BIT_EXCLUSIVE) != 0 ? WITNESS_ALONE : WITNESS_COPIED;
}

void witness_end(struct witness *witness)
{
    if (witness->page != 0)
        SYS_MUST(SYS_munmap, witness->page, page_size);
    witness->page = 0;
}
