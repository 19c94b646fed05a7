/* SPDX-License-Identifier: MIT */
#include "engine/copy/window.h"

#include "base/arena.h"
#include "base/page.h"

#include "base/poison.h"

#define RUNS (SCRATCH_SIZE / sizeof(struct page_run))

bool window_open(struct window *window)
{
    *window = (struct window){.buffer = scratch_take()};
    return window->buffer != NULL;
}

void window_close(struct window *window)
{
    scratch_give(window->buffer);
}

int window_scan(struct window *window, uintptr_t start, uintptr_t end)
{
    int found = pagemap_runs(PAGES_PRIVATE, start, end, window->buffer, RUNS, &window->end);

    window->runs = window->buffer;
    window->rest = (struct page_run){0, 0};
    window->count = found < 0 ? 0 : (size_t)found;
    return found < 0 ? found : 0;
}

struct page_run *window_take(struct window *window, uintptr_t start, uintptr_t end, size_t *count)
{
    struct page_run *first;

    if (window->rest.start < window->rest.end) {
        *--window->runs = window->rest;
        window->count++;
        window->rest.end = 0;
    }
    while (window->count > 0 && window->runs->end <= start) {
        window->runs++;
        window->count--;
    }
    first = window->runs;
    for (*count = 0; window->count > 0 && window->runs->start < end; ++*count) {
        struct page_run *run = window->runs++;

        window->count--;
        window->rest = (struct page_run){end, run->end};
        run->start = max_address(run->start, start);
        run->end = min_address(run->end, end);
    }
    return first;
}
