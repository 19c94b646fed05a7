/* SPDX-License-Identifier: MIT */
/* The target of a copy is made to show what its source shows: views of the same store, and zero memory. Needs both locks. */
#ifndef COWSHIM_ENGINE_SHOW_H
#define COWSHIM_ENGINE_SHOW_H

#include "engine/block/block.h"
#include "kernel/pagemap.h"

struct showing {
    struct block *from, *to;
    uintptr_t shift;   /* target address = source address + shift, modulo the address space */
    bool target_clean; /* the target had no page and no view when we came */
};

/* [start, end) of the source, of which the runs are the private pages that were not sealed: these are copied, and *copied grows by their
   bytes. 0 or -errno, then the target is unspecified there. */
int show_range(const struct showing *showing, uintptr_t start, uintptr_t end, const struct page_run *runs, size_t count, size_t *copied);

#endif
