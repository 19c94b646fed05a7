/* SPDX-License-Identifier: MIT */
#include "engine/report/export.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/config.h"
#include "base/gate.h"
#include "base/log.h"
#include "base/page.h"
#include "base/sys.h"
#include "kernel/exportfile.h"
#include "kernel/usage.h"

#include "base/poison.h"

static struct export_page *_Atomic live;
static _Atomic bool tried;
static struct descriptor file = DESCRIPTOR_NONE;

struct export_page *export_page_now(void)
{
    return gate_orphaned() ? NULL : atomic_load_explicit(&live, memory_order_acquire);
}

static size_t file_size(void)
{
    return page_up(EXPORT_BLOCKS_OFFSET + EXPORT_SLOTS * sizeof(struct export_block));
}

bool export_asleep(void)
{
    return !atomic_load_explicit(&tried, memory_order_relaxed);
}

static void write_header(struct export_header *header)
{
    header->version = EXPORT_VERSION;
    header->page_size = (uint32_t)page_size;
    header->process = sys_process();
    header->opened = usage_since_boot();
    header->file_size = file_size();
    header->min_size = config_size(min_size);
    bytes_copy(header->release, PACKAGE_VERSION, sizeof PACKAGE_VERSION);
    config_name(CONFIG_INDEX_mode, header->mode, sizeof header->mode);
    config_name(CONFIG_INDEX_policy, header->policy, sizeof header->policy);
    header->counters = COUNTERS;
    header->reasons = REASONS;
    header->count_size = sizeof(struct count);
    header->counts_offset = offsetof(struct export_page, counts);
    header->blocks_offset = EXPORT_BLOCKS_OFFSET;
    header->block_size = sizeof(struct export_block);
    header->block_slots = EXPORT_SLOTS;
    atomic_thread_fence(memory_order_release);
    header->magic = EXPORT_MAGIC;
}

void export_open(void)
{
    struct export_page *page;
    uintptr_t start;
    int error = -EAGAIN;

    if (!export_asleep() || !descriptor_in_own_process())
        return;
    atomic_store(&tried, true);
    if (gate_marked())
        error = exportfile_open(EXPORT_NAME, file_size(), EXPORT_BLOCKS_OFFSET, &file, &start);
    if (error != 0) {
        log_info("cowshim stat, top and map do not see this process (error %d)", -error);
        return;
    }
    page = (struct export_page *)start;
    export_list_begin(page);
    counters_move(&page->counts);
    write_header(&page->header);
    atomic_store_explicit(&live, page, memory_order_release);
}

int export_extend(size_t offset)
{
    return exportfile_extend(&file, offset, page_size);
}

void export_after_fork(void)
{
    struct export_page *page = atomic_exchange(&live, NULL);

    atomic_store(&tried, false);
    counters_move(NULL);
    if (page != NULL)
        exportfile_close(&file, (uintptr_t)page, file_size());
}

void export_note_descriptors(void)
{
    struct export_page *page = export_page_now();

    if (page != NULL)
        atomic_store_explicit(&page->header.descriptors, descriptor_count(), memory_order_relaxed);
}
