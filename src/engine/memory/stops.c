/* SPDX-License-Identifier: MIT */
/* What the program said once for all of its memory. */
#include <stdatomic.h>

#include "engine/engine.h"
#include "kernel/pagemap.h"
#include "kernel/vma.h"

#include "base/poison.h"

static _Atomic unsigned stops; /* enum stop */

void engine_stop_sharing(enum stop why, bool stopped)
{
    if (stopped)
        atomic_fetch_or(&stops, why);
    else
        atomic_fetch_and(&stops, ~(unsigned)why);
}

bool engine_sharing_stopped(void)
{
    return atomic_load_explicit(&stops, memory_order_relaxed) != 0;
}

void engine_note_hugetlb(void)
{
    vma_note_hugetlb();
}

void engine_note_merging(void)
{
    pagemap_note_merging();
}
