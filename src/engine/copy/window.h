/* SPDX-License-Identifier: MIT */
/* The window of a snapshot: the private pages of its source, as many runs of them as one scan can list, to be used up in rising order. */
#ifndef COWSHIM_ENGINE_WINDOW_H
#define COWSHIM_ENGINE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/pagemap.h"

struct window {
    uintptr_t end; /* how far it reaches */
    struct page_run *runs, *buffer;
    size_t count;
    struct page_run rest; /* of the last one that was used; empty when it ends before it starts */
};

/* False: no memory. The window is empty. */
bool window_open(struct window *window);
void window_close(struct window *window);
/* Lists the private runs of [start, end), as far as there is room. 0 or -errno. */
int window_scan(struct window *window, uintptr_t start, uintptr_t end);
/* The runs that lie in [start, end), cut to it, for the caller to use up. Of one that goes on behind, the rest comes next. */
struct page_run *window_take(struct window *window, uintptr_t start, uintptr_t end, size_t *count);

#endif
