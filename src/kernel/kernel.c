/* SPDX-License-Identifier: MIT */
#include "kernel/kernel.h"

#include "base/fault.h"
#include "base/log.h"
#include "kernel/descriptor.h"
#include "kernel/holders.h"
#include "kernel/pagemap.h"
#include "kernel/procfile.h"
#include "kernel/storefile.h"
#include "kernel/vma.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

void kernel_start(void)
{
    fault_init();
    descriptor_init();
    write_guard_init();
    holders_init();
    storefile_init();
}

void kernel_look(void)
{
    pagemap_init();
    vma_init();
    log_debug("started: pages by %s, maps %s", pagemap_name(), vma_available() ? "verified" : "not verified");
}

void kernel_after_fork(void)
{
    descriptor_after_fork();
    procfile_after_fork();
    write_guard_after_fork();
    holders_after_fork();
}
