/* SPDX-License-Identifier: MIT */
/* The start of the engine, and its summary at the end. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/gate.h"
#include "base/log.h"
#include "engine/block/block.h"
#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine/store/extent.h"
#include "engine/process/fork.h"
#include "engine/copy/seal.h"
#include "engine/store/store.h"
#include "kernel/descriptor.h"
#include "kernel/pagemap.h"
#include "kernel/storefile.h"
#include "kernel/sys.h"
#include "kernel/vma.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

/* Most processes never make a large allocation, and pay for no system call of ours. */
void engine_start(void)
{
    sys_init();
    descriptor_init();
    write_guard_init();
    storefile_init();
    seal_init();
}

static void look_at_machine(void)
{
    gate_init(fork_adopt_orphan); /* a failure leaves announced forks, which are nearly all */
    pagemap_init();
    vma_init();
    extent_init();
    log_debug("started: pages by %s, maps %s", pagemap_name(), vma_available() ? "verified" : "not verified");
}

void engine_wake(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Atomic bool awake;

    if (!atomic_load_explicit(&awake, memory_order_acquire)) {
        pthread_once(&once, look_at_machine);
        atomic_store_explicit(&awake, true, memory_order_release);
    }
    block_export_all();
}

struct page_text {
    char *text;
    size_t size, used;
};

static void put(struct page_text *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct page_text *page, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(page->text + page->used, page->size - page->used, format, arguments);
    va_end(arguments);
    if (length > 0)
        page->used += (size_t)length < page->size - page->used ? (size_t)length : page->size - page->used - 1;
}

static void put_json(struct page_text *page, size_t stores, uint64_t allocated)
{
    put(page, "{\"cowshim\":1,\"pid\":%ld,\"blocks\":%zu,\"views\":%zu,\"stores\":%zu,\"store_bytes\":%llu,\"descriptors\":%u",
        sys_process(), block_count(), extent_count(), stores, (unsigned long long)allocated, descriptor_count());
    for (int i = 0; i < COUNTERS; i++)
        put(page, ",\"%s\":%llu", counter_name(i), (unsigned long long)counter_read(i));
    put(page, ",\"plain\":{");
    for (int i = 0; i < REASONS; i++)
        put(page, "%s\"%s\":[%llu,%llu]", i == 0 ? "" : ",", reason_name(i), (unsigned long long)reason_copies(i),
            (unsigned long long)reason_bytes(i));
    put(page, "}}\n");
}

static void put_text(struct page_text *page, size_t stores, uint64_t allocated)
{
    put(page, "cowshim: summary of process %ld\n", sys_process());
    for (int i = 0; i < COUNTERS; i++)
        if (counter_read(i) != 0)
            put(page, "%20llu  %s\n", (unsigned long long)counter_read(i), counter_words(i));
    put(page, "%20zu  stores open, of %llu bytes in all\n", stores, (unsigned long long)allocated);
    for (int i = 0; i < REASONS; i++)
        if (reason_copies(i) != 0)
            put(page, "%20llu  plain copies (%llu bytes): %s\n", (unsigned long long)reason_copies(i),
                (unsigned long long)reason_bytes(i), reason_words(i));
}

size_t engine_summary(char *text, size_t size, bool json)
{
    struct page_text page = {text, size, 0};
    size_t stores;
    uint64_t allocated;

    store_totals(&stores, &allocated);
    (json ? put_json : put_text)(&page, stores, allocated);
    return page.used;
}

uint64_t engine_store_bytes(void)
{
    size_t stores;
    uint64_t allocated;

    store_totals(&stores, &allocated);
    return allocated;
}
