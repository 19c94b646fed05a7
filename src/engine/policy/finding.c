/* SPDX-License-Identifier: MIT */
#include "engine/policy/finding.h"

#include "base/bytes.h"
#include "base/page.h"
#include "engine/policy/sample.h"
#include "kernel/pagemap.h"

#include "base/poison.h"

/* A large slice is judged by this many of its pages. */
#define WINDOW 256
#define RUNS 64

/* Pages of one kind in a range; -1: the kernel did not tell. */
static long count_pages(enum pagemap_want want, uintptr_t start, uintptr_t end)
{
    struct page_run runs[RUNS];
    size_t bytes = 0;

    while (start < end) {
        int count = pagemap_runs(want, start, end, runs, RUNS, &start);

        if (count < 0)
            return -1;
        for (int i = 0; i < count; i++)
            bytes += runs[i].end - runs[i].start;
    }
    return (long)(bytes / page_size);
}

/* The pages of a slice that are looked at. */
static struct page_run window_of(const struct trace *trace, unsigned slice)
{
    size_t first = slice_start(trace->pages, slice), end = slice_start(trace->pages, slice + 1);

    if (end - first > WINDOW) {
        first += (end - first - WINDOW) / 2;
        end = first + WINDOW;
    }
    return (struct page_run){trace->start + first * page_size, trace->start + end * page_size};
}

static bool look_at_slice(const struct trace *trace, unsigned slice, struct finding *finding)
{
    struct page_run window = window_of(trace, slice);
    size_t pages = (window.end - window.start) / page_size;
    size_t all = slice_start(trace->pages, slice + 1) - slice_start(trace->pages, slice);
    bool same = (trace->same >> slice & 1) != 0;
    long written = count_pages(PAGES_PRIVATE, window.start, window.end);
    long there = written < 0 || same ? written : count_pages(PAGES_TOUCHED, window.start, window.end);

    if (there < written || there < 0)
        return false;
    finding->fate.written[slice] = (uint16_t)((size_t)written * SHARE_ONE / pages);
    finding->asked += all;
    finding->written += (size_t)written * all / pages;
    finding->mapped += same ? 0 : (pages - (size_t)written) * all / pages;
    finding->read += (size_t)(there - written) * all / pages;
    return true;
}

/* Small slices that neighbour each other, by one scan. */
static bool look_at_slices(const struct trace *trace, unsigned from, unsigned to, struct finding *finding)
{
    uintptr_t start = trace->start + slice_start(trace->pages, from) * page_size;
    uintptr_t end = trace->start + slice_start(trace->pages, to) * page_size;
    bool same = (trace->same >> from & 1) != 0;
    uint32_t written[SLICES] = {0};
    long there = same ? 0 : count_pages(PAGES_TOUCHED, start, end);
    size_t pages = (end - start) / page_size;
    size_t all = 0;

    if (there < 0 || !sample_count(trace->start, trace->pages, start, end, written))
        return false;
    for (unsigned i = from; i < to; i++) {
        size_t size = slice_start(trace->pages, i + 1) - slice_start(trace->pages, i);

        finding->fate.written[i] = (uint16_t)(written[i] * SHARE_ONE / size);
        all += written[i];
    }
    finding->asked += pages;
    finding->written += all;
    finding->mapped += same ? 0 : pages - all;
    finding->read += (size_t)there > all ? (size_t)there - all : 0;
    return true;
}

void finding_look_at_views(const struct trace *trace, struct finding *finding)
{
    unsigned count = slice_count(trace->pages);
    bool small = trace->pages <= (size_t)WINDOW * count;

    for (unsigned at = 0, end; at < count; at = end) {
        unsigned alike = slice_alike(trace->same, at, count);

        end = slice_alike(trace->shared, at, count);
        end = end < alike ? end : alike;
        if ((trace->shared >> at & 1) == 0)
            continue;
        if (small) {
            look_at_slices(trace, at, end, finding);
            continue;
        }
        for (unsigned i = at; i < end; i++)
            look_at_slice(trace, i, finding);
    }
}

struct finding finding_none(void)
{
    struct finding finding;

    bytes_fill(&finding, 0, sizeof finding);
    for (unsigned i = 0; i < SLICES; i++)
        finding.fate.written[i] = SHARE_UNKNOWN;
    finding.fate.read = SHARE_UNKNOWN;
    return finding;
}

void finding_look_at_samples(const struct trace *trace, struct finding *finding)
{
    for (unsigned i = 0; i < trace->sampled; i++) {
        unsigned slice = slice_of(trace->pages, (trace->samples[i].page - trace->start) / page_size);

        if (!sample_readable(trace->samples[i].page))
            continue;
        finding->fate.written[slice] = sample_same(&trace->samples[i]) ? 0 : SHARE_ONE;
        finding->fate.sampled |= UINT64_C(1) << slice;
    }
}

void finding_take_samples(const struct venture *venture, struct trace *made, struct trace *given, unsigned turn)
{
    unsigned count = slice_count(venture->pages);

    if (sample_forbidden(venture->from) || sample_forbidden(venture->to))
        return;
    for (unsigned i = 0; i < count && made->sampled < TRACE_SAMPLES; i++) {
        uint64_t drawn = (uint64_t)(turn + 1) * (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        unsigned slice = (unsigned)(drawn >> 40) % count;
        size_t first = slice_start(venture->pages, slice), end = slice_start(venture->pages, slice + 1);
        struct trace_sample sample = {venture->source + (first + (drawn >> 20 & 0xfffff) % (end - first)) * page_size, 0};

        if ((made->shared >> slice & 1) != 0 || !sample_readable(sample.page))
            continue;
        sample.sum = sample_sum(sample.page);
        given->samples[given->sampled++] = sample;
        sample.page += venture->shift;
        made->samples[made->sampled++] = sample;
    }
}
