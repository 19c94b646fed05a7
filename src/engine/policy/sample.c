/* SPDX-License-Identifier: MIT */
#include "engine/policy/sample.h"

#include "base/bytes.h"
#include "base/page.h"
#include "kernel/holders.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"

#include "base/poison.h"

#define RUNS 64
#define CHUNK 512

void sample_add(uintptr_t base, size_t pages, const struct page_run *runs, size_t count, uint32_t *private_pages)
{
    for (size_t i = 0; i < count; i++) {
        size_t first = (runs[i].start - base) / page_size, end = (runs[i].end - base) / page_size;

        while (first < end) {
            unsigned slice = slice_of(pages, first);
            size_t stop = slice_start(pages, slice + 1);

            stop = stop < end ? stop : end;
            private_pages[slice] += (uint32_t)(stop - first);
            first = stop;
        }
    }
}

bool sample_count(uintptr_t base, size_t pages, uintptr_t start, uintptr_t end, uint32_t *private_pages)
{
    struct page_run runs[RUNS];

    while (start < end) {
        int count = pagemap_runs(PAGES_PRIVATE, start, end, runs, RUNS, &start);

        if (count < 0)
            return false;
        sample_add(base, pages, runs, (size_t)count, private_pages);
    }
    return true;
}

bool sample_forbidden(const struct block *block)
{
    return block_foreign(block) || (holders_known() & HOLDER_PAGER) != 0;
}

bool sample_readable(uintptr_t page)
{
    return map_readable(page);
}

/* By way of a buffer: the program may write there meanwhile. */
uint64_t sample_sum(uintptr_t page)
{
    uint64_t words[CHUNK / sizeof(uint64_t)];
    uint64_t sum = 0;

    for (size_t at = 0; at < page_size; at += CHUNK) {
        bytes_copy(words, (const void *)(page + at), CHUNK);
        for (size_t i = 0; i < CHUNK / sizeof *words; i++)
            sum = (sum ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return sum ^ sum >> 32;
}

bool sample_same(const struct trace_sample *sample)
{
    return sample_sum(sample->page) == sample->sum;
}
