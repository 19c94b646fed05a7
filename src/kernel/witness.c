/* SPDX-License-Identifier: MIT */
#include "kernel/witness.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/lock.h"
#include "base/page.h"
#include "base/sys.h"
#include "kernel/procfile.h"

#include "base/poison.h"

#define BIT_EXCLUSIVE (UINT64_C(1) << 56)
#define BIT_SWAPPED (UINT64_C(1) << 62)
#define BIT_PRESENT (UINT64_C(1) << 63)

static struct lock lock = LOCK_INITIALIZER(LOCK_KERNEL);
static _Atomic uintptr_t witness; /* 0: none, then nobody is ever thought to be alone */

static void begin(void)
{
    long page = SYS(SYS_mmap, 0, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    witness = 0;
    if (page < 0 && page > -4096)
        return;
    SYS_MUST(SYS_madvise, page, page_size, MADV_NOHUGEPAGE); /* a page of its own: its count is its own, too */
    *(volatile char *)page = 1;
    witness = (uintptr_t)page;
}

static void give_back(uintptr_t page)
{
    if (page != 0)
        SYS_MUST(SYS_munmap, page, page_size);
}

/* Swapped out, a copy may hold the other half of it. Nobody reads it, so that it never comes back in. */
static bool alone(int pagemap)
{
    uint64_t entry;

    return witness != 0 && pagemap >= 0 &&
           SYS(SYS_pread64, pagemap, &entry, sizeof entry, witness / page_size * sizeof entry) == sizeof entry &&
           (entry & (BIT_PRESENT | BIT_SWAPPED | BIT_EXCLUSIVE)) == (BIT_PRESENT | BIT_EXCLUSIVE);
}

void witness_begin(void)
{
    if (witness != 0)
        return;
    lock_take(&lock);
    if (witness == 0)
        begin();
    lock_drop(&lock);
}

bool witness_copied(void)
{
    int pagemap = procfile_use(PROCFILE_PAGEMAP); /* a lock of the same rank */
    bool copied;

    lock_take(&lock);
    copied = !alone(pagemap);
    if (copied) {
        uintptr_t old = witness;

        begin(); /* copies from now on */
        give_back(old);
    }
    lock_drop(&lock);
    return copied;
}

void witness_renew(bool announced)
{
    uintptr_t old = witness;

    if (old == 0)
        return;
    begin();
    if (announced)
        give_back(old);
}
