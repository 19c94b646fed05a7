/* SPDX-License-Identifier: MIT */
#include "engine/memory/look.h"

#include <errno.h>

#include "kernel/holders.h"

#include "base/poison.h"

static enum reason reason_of(unsigned held)
{
    if ((held & HOLDER_PAGER) != 0)
        return REASON_pager;
    if ((held & HOLDER_RING) != 0)
        return REASON_pinned;
    return (held & HOLDER_DEVICE) != 0 ? REASON_device : REASON_none;
}

static enum reason look_with(struct look *look, const struct write_guard *(*pick)(unsigned threads), unsigned harmless)
{
    struct holders holders;
    enum reason why;
    int error;

    if (look->guard != NULL)
        return REASON_none;
    error = holders_look(&holders);
    if (error != 0)
        return error == -EMFILE || error == -ENFILE ? REASON_budget : REASON_no_pagemap;
    why = reason_of(holders.held & ~harmless);
    if (why != REASON_none)
        return why;
    look->guard = pick(holders.threads);
    return look->guard == NULL ? REASON_no_guard : REASON_none;
}

enum reason look_around(struct look *look)
{
    return look_with(look, write_guard_pick, 0);
}

enum reason look_around_for_files(struct look *look)
{
    return look_with(look, write_guard_pick_for_files, 0);
}

enum reason look_around_for_views(struct look *look)
{
    return look_with(look, write_guard_pick, HOLDER_PAGER);
}

bool look_read_later(void)
{
    unsigned held;

    return holders_held(&held) != 0 || (held & ~(unsigned)HOLDER_PAGER) != 0;
}

bool look_holes_are_zero(void)
{
    unsigned held;

    return holders_held(&held) == 0 && (held & HOLDER_PAGER) == 0;
}
