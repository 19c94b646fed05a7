/* SPDX-License-Identifier: MIT */
/* Figures that the program asks for. */
#include <errno.h>

#include "engine/block/block.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "engine/store/store.h"

#include "base/poison.h"

int engine_figures(struct engine_figures *figures)
{
    struct entry entry;
    size_t stores;

    if (!entry_begin_quiet(&entry))
        return -EAGAIN;
    store_totals(&stores, &figures->store_bytes);
    figures->stores = stores;
    figures->blocks = block_count();
    figures->registered = block_count_registered();
    figures->views = extent_count();
    figures->plain_copies = 0;
    figures->plain_bytes = 0;
    for (int i = 0; i < REASONS; i++) {
        figures->plain_copies += reason_copies(i);
        figures->plain_bytes += reason_bytes(i);
    }
    entry_end(&entry);
    return 0;
}

uint64_t engine_store_bytes(void)
{
    size_t stores;
    uint64_t allocated;

    store_totals(&stores, &allocated);
    return allocated;
}
