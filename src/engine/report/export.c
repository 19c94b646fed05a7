/* SPDX-License-Identifier: MIT */
#include "engine/report/export.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/bytes.h"
#include "base/config.h"
#include "base/gate.h"
#include "base/log.h"
#include "base/page.h"
#include "base/sys.h"
#include "engine/report/export_page.h"
#include "kernel/descriptor.h"
#include "kernel/exportfile.h"
#include "kernel/usage.h"

#include "base/poison.h"

#define WORDS (EXPORT_SLOTS / 64)

static struct export_page *_Atomic live;
static _Atomic bool tried;
static struct descriptor file = DESCRIPTOR_NONE;
/* Under the registry lock: */
static uint64_t taken[WORDS]; /* a bit a slot */
static unsigned first_free;   /* no word below has a free slot */
static unsigned ready;        /* slots whose memory is there: touching a page of a file that cannot be had would be a SIGBUS */

/* A child that we have not noticed yet still shows the parent's page. */
static struct export_page *page_now(void)
{
    return gate_orphaned() ? NULL : atomic_load_explicit(&live, memory_order_acquire);
}

static struct export_block *slot_at(struct export_page *page, unsigned slot)
{
    return (struct export_block *)(void *)((char *)page + EXPORT_BLOCKS_OFFSET) + (slot - 1);
}

static size_t file_size(void)
{
    return page_up(EXPORT_BLOCKS_OFFSET + EXPORT_SLOTS * sizeof(struct export_block));
}

bool export_asleep(void)
{
    return !atomic_load_explicit(&tried, memory_order_relaxed);
}

static void name_choice(char out[16], enum config_index which)
{
    struct config_option options[CONFIG_COUNT];
    const char *word;

    config_options(options);
    word = options[which].choices;
    for (unsigned i = config.value[which].choice; i > 0; i--)
        word = strchr(word, '|') + 1;
    bytes_copy(out, word, strcspn(word, "|"));
}

static void write_header(struct export_header *header)
{
    struct timespec now = {0, 0};

    SYS_MUST(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
    header->version = EXPORT_VERSION;
    header->page_size = (uint32_t)page_size;
    header->process = sys_process();
    header->opened = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    header->file_size = file_size();
    header->min_size = config_size(min_size);
    bytes_copy(header->release, PACKAGE_VERSION, sizeof PACKAGE_VERSION);
    name_choice(header->mode, CONFIG_INDEX_mode);
    name_choice(header->policy, CONFIG_INDEX_policy);
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
    ready = (unsigned)((page_up(EXPORT_BLOCKS_OFFSET) - EXPORT_BLOCKS_OFFSET) / sizeof(struct export_block));
    page->header.blocks_end = ready;
    counters_move(&page->counts);
    write_header(&page->header);
    atomic_store_explicit(&live, page, memory_order_release);
}

void export_after_fork(void)
{
    struct export_page *page = atomic_exchange(&live, NULL);

    atomic_store(&tried, false);
    counters_move(NULL);
    bytes_fill(taken, 0, sizeof taken);
    first_free = 0;
    if (page != NULL)
        exportfile_close(&file, (uintptr_t)page, file_size());
}

/* False: no memory for the slot. */
static bool make_ready(struct export_page *page, unsigned slot)
{
    size_t step = page_size / sizeof(struct export_block);

    if (slot <= ready)
        return true;
    if (exportfile_extend(&file, EXPORT_BLOCKS_OFFSET + ready * sizeof(struct export_block), page_size) != 0)
        return false;
    ready += (unsigned)step;
    atomic_store_explicit(&page->header.blocks_end, ready < EXPORT_SLOTS ? ready : EXPORT_SLOTS, memory_order_relaxed);
    return true;
}

/* The lowest free slot; so that few pages are used. */
static unsigned find_free(void)
{
    while (first_free < WORDS && taken[first_free] == UINT64_MAX)
        first_free++;
    return first_free == WORDS ? 0 : first_free * 64 + (unsigned)__builtin_ctzll(~taken[first_free]) + 1;
}

unsigned export_add(uintptr_t start, size_t size, unsigned flags)
{
    struct export_page *page = page_now();
    unsigned slot = page == NULL ? 0 : find_free();
    struct export_block *block;

    if (page == NULL)
        return 0;
    if (slot == 0 || !make_ready(page, slot)) {
        atomic_fetch_add_explicit(&page->header.unlisted, 1, memory_order_relaxed);
        return 0;
    }
    taken[(slot - 1) / 64] |= UINT64_C(1) << ((slot - 1) % 64);
    block = slot_at(page, slot);
    atomic_store_explicit(&block->size, size, memory_order_relaxed);
    atomic_store_explicit(&block->flags, flags, memory_order_relaxed);
    atomic_store_explicit(&block->copied_from, 0, memory_order_relaxed);
    atomic_store_explicit(&block->address, start, memory_order_release);
    return slot;
}

void export_change(unsigned slot, size_t size, unsigned flags)
{
    struct export_page *page = page_now();

    if (slot == 0 || page == NULL)
        return;
    atomic_store_explicit(&slot_at(page, slot)->size, size, memory_order_relaxed);
    atomic_store_explicit(&slot_at(page, slot)->flags, flags, memory_order_relaxed);
}

void export_copied(unsigned slot, uintptr_t from, const void *caller)
{
    struct export_page *page = page_now();
    struct export_block *block;

    if (slot == 0 || page == NULL)
        return;
    block = slot_at(page, slot);
    atomic_store_explicit(&block->copied_by, (uintptr_t)caller, memory_order_relaxed);
    atomic_store_explicit(&block->copied_at, usage_now(), memory_order_relaxed);
    atomic_store_explicit(&block->copied_from, from, memory_order_relaxed);
}

void export_remove(unsigned slot)
{
    struct export_page *page = page_now();

    if (page == NULL)
        return;
    if (slot == 0) {
        atomic_fetch_sub_explicit(&page->header.unlisted, 1, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(&slot_at(page, slot)->address, 0, memory_order_relaxed);
    taken[(slot - 1) / 64] &= ~(UINT64_C(1) << ((slot - 1) % 64));
    if ((slot - 1) / 64 < first_free)
        first_free = (slot - 1) / 64;
}

void export_note_descriptors(void)
{
    struct export_page *page = page_now();

    if (page != NULL)
        atomic_store_explicit(&page->header.descriptors, descriptor_count(), memory_order_relaxed);
}
