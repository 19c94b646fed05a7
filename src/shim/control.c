/* SPDX-License-Identifier: MIT */
/* The control interface. Its promises are in cowshim.h, which also defines what the functions do where the shim is loaded but inactive. */
#define COWSHIM_IMPLEMENTATION
#include "cowshim.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/config.h"
#include "base/page.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "shim/hook.h"

/* Exported by name as well, for those who look them up (dlsym, ctypes). */
HOOK int cowshim_active(void);
HOOK const char *cowshim_version(void);
HOOK int cowshim_register(void *addr, size_t length, unsigned flags);
HOOK int cowshim_unregister(void *addr, size_t length);
HOOK void *cowshim_dup(const void *addr, size_t length);
HOOK ssize_t cowshim_copy(void *dst, const void *src, size_t length, unsigned flags);
HOOK ssize_t cowshim_seal(void *addr, size_t length);
HOOK int cowshim_exclude(void *addr, size_t length);
HOOK int cowshim_include(void *addr, size_t length);
HOOK int cowshim_expect_rewrite(void *addr, size_t length);
HOOK int cowshim_residency(const void *addr, size_t length, struct cowshim_pages *out);
HOOK ssize_t cowshim_diff(const void *a, const void *b, size_t length, unsigned flags, cowshim_diff_callback *callback, void *context);
HOOK ssize_t cowshim_merge(void *a, void *b, size_t length, unsigned flags);
HOOK int cowshim_stats(struct cowshim_figures *out, size_t size);
HOOK const struct cowshim_table *cowshim_calls(void);

#define CALLER __builtin_return_address(0)
#define AT_WORK (hot.min_copy != SIZE_MAX)

/* 0, or -1 with errno. */
static int answer(int error)
{
    if (error == 0)
        return 0;
    errno = -error;
    return -1;
}

static int error_of(enum reason why)
{
    switch (why) {
    case REASON_none:
        return 0;
    case REASON_incongruent:
        return -EDOM;
    case REASON_overlapping:
        return -EINVAL;
    case REASON_small:
        return -ERANGE;
    case REASON_not_source:
    case REASON_not_target:
        return -ENOENT;
    case REASON_excluded:
        return -EACCES;
    case REASON_unlike_maps:
        return -ESTALE;
    case REASON_pinned:
        return -EBUSY;
    case REASON_no_guard:
    case REASON_not_held:
        return -EDEADLK;
    case REASON_no_pagemap:
        return -ENOSYS;
    case REASON_budget:
        return -ENOSPC;
    case REASON_nested:
    case REASON_foreign_process:
        return -EAGAIN;
    default:
        return -ENOMEM;
    }
}

HOOK int cowshim_active(void)
{
    return AT_WORK;
}

HOOK const char *cowshim_version(void)
{
    return PACKAGE_VERSION;
}

HOOK int cowshim_register(void *addr, size_t length, unsigned flags)
{
    if (cowshim_plain_invalid(addr, length) != 0 || flags != 0)
        return answer(-EINVAL);
    return AT_WORK ? answer(engine_register(addr, length)) : 0;
}

HOOK int cowshim_unregister(void *addr, size_t length)
{
    if (cowshim_plain_invalid(addr, length) != 0)
        return -1;
    return AT_WORK ? answer(engine_unregister(addr, length)) : 0;
}

/* Shares what it can and copies the rest. Returns the bytes shared. */
static size_t share_or_copy(void *to, const void *from, size_t length, const void *caller)
{
    size_t done;
    size_t shared;

    engine_share(to, from, length, caller, false, &done, &shared);
    if (done == 0)
        next.memmove(to, from, length);
    return shared;
}

HOOK void *cowshim_dup(const void *addr, size_t length)
{
    void *block;

    if (!AT_WORK || cowshim_plain_invalid(addr, length) != 0)
        return cowshim_plain_dup(addr, length);
    block = length >= 2 * page_size ? shim_allocate(length) : NULL;
    if (block == NULL)
        block = next.malloc(length);
    if (block != NULL)
        share_or_copy(block, addr, length, CALLER);
    return block;
}

HOOK ssize_t cowshim_copy(void *dst, const void *src, size_t length, unsigned flags)
{
    size_t done;
    size_t shared;
    int error;

    if (!AT_WORK)
        return cowshim_plain_copy(dst, src, length, flags);
    if (cowshim_plain_invalid(dst, length) != 0 || cowshim_plain_invalid(src, length) != 0 ||
        (flags != COWSHIM_REQUIRE && flags != COWSHIM_ALLOW_PLAIN))
        return answer(-EINVAL);
    if (flags == COWSHIM_ALLOW_PLAIN)
        return (ssize_t)share_or_copy(dst, src, length, CALLER);
    error = error_of(engine_share(dst, src, length, CALLER, true, &done, &shared));
    return error == 0 ? (ssize_t)shared : answer(error);
}

HOOK ssize_t cowshim_seal(void *addr, size_t length)
{
    size_t shown;
    int error;

    if (cowshim_plain_invalid(addr, length) != 0)
        return -1;
    if (!AT_WORK)
        return 0;
    error = error_of(engine_seal(addr, length, &shown));
    return error == 0 ? (ssize_t)shown : answer(error);
}

static int hint(void *addr, size_t length, enum engine_hint hint)
{
    if (cowshim_plain_invalid(addr, length) != 0)
        return -1;
    return AT_WORK ? answer(engine_hint(addr, length, hint)) : 0;
}

HOOK int cowshim_exclude(void *addr, size_t length)
{
    return hint(addr, length, HINT_EXCLUDE);
}

HOOK int cowshim_include(void *addr, size_t length)
{
    return hint(addr, length, HINT_NONE);
}

HOOK int cowshim_expect_rewrite(void *addr, size_t length)
{
    return hint(addr, length, HINT_REWRITE);
}

HOOK int cowshim_residency(const void *addr, size_t length, struct cowshim_pages *out)
{
    uint64_t own, shown;
    int error;

    if (!AT_WORK)
        return cowshim_plain_residency(addr, length, out);
    if (cowshim_plain_invalid(addr, length) != 0 || cowshim_plain_invalid(out, sizeof *out) != 0)
        return -1;
    error = engine_residency(addr, length, &own, &shown);
    if (error != 0)
        return answer(error);
    out->hole_bytes = length - own - shown;
    out->private_bytes = own;
    out->shared_bytes = shown;
    return 0;
}

/* The difference that was found last and is not reported yet: if the next one touches it, both are reported as one. */
struct search {
    const char *a, *b;
    unsigned flags;
    cowshim_diff_callback *callback;
    void *context;
    size_t from, to;
    size_t total;
};

/* Returns false when the program's callback wants no more differences. */
static bool flush(struct search *search)
{
    size_t from = search->from;
    size_t length = search->to - from;

    search->from = search->to;
    search->total += length;
    return length == 0 || search->callback == NULL || search->callback(search->context, from, length) == 0;
}

static bool found(struct search *search, size_t from, size_t to)
{
    if (from == search->to) {
        search->to = to;
        return true;
    }
    if (!flush(search))
        return false;
    search->from = from;
    search->to = to;
    return true;
}

/* What may differ is compared here, outside of the engine: a page that cannot be read must not fault under a lock of ours. */
static bool examine(struct search *search, size_t from, size_t to, bool read)
{
    if (!read)
        return found(search, from, to);
    while (from < to) {
        size_t stop = from + (page_size - ((uintptr_t)search->a + from) % page_size);

        if (stop > to)
            stop = to;
        if (memcmp(search->a + from, search->b + from, stop - from) != 0 && !found(search, from, stop))
            return false;
        from = stop;
    }
    return true;
}

/* The same, where reading one of the two ranges from its store saves page faults. */
static bool examine_stored(struct search *search, size_t from, size_t to, bool a_stored)
{
    const char *memory = a_stored ? search->b : search->a;
    const char *stored = a_stored ? search->a : search->b;

    for (size_t stop; from < to; from = stop) {
        uint64_t differs;

        stop = to - from < ENGINE_DIFFERS_PAGES * page_size ? to : from + ENGINE_DIFFERS_PAGES * page_size;
        if (!engine_differs(memory + from, stored + from, stop - from, &differs)) {
            if (!examine(search, from, stop, true))
                return false;
            continue;
        }
        for (size_t at = from; at < stop; at += page_size, differs >>= 1)
            if ((differs & 1) != 0 && !found(search, at, at + page_size))
                return false;
    }
    return true;
}

static bool examine_range(struct search *search, size_t base, const struct engine_range *range, bool read)
{
    size_t from = base + range->offset;
    size_t to = from + range->size;

    if (range->look == LOOK_A_STORED || range->look == LOOK_B_STORED)
        return examine_stored(search, from, to, range->look == LOOK_A_STORED);
    return examine(search, from, to, read && range->look != LOOK_NONE);
}

#define RANGES 256 /* on the stack: 6 KiB */

static bool search_all(struct search *search, size_t length)
{
    bool read = (search->flags & COWSHIM_DIFF_NO_READ) == 0;
    size_t at = 0;

    while (at < length) {
        struct engine_range ranges[RANGES];
        size_t count;
        size_t reached = engine_compare(search->a + at, search->b + at, length - at, read, ranges, RANGES, &count);

        for (size_t i = 0; i < count; i++)
            if (!examine_range(search, at, &ranges[i], read))
                return false;
        at += reached;
    }
    return flush(search);
}

HOOK ssize_t cowshim_diff(const void *a, const void *b, size_t length, unsigned flags, cowshim_diff_callback *callback, void *context)
{
    struct search search = {a, b, flags, callback, context, 0, 0, 0};

    if (!AT_WORK)
        return cowshim_plain_diff(a, b, length, flags, callback, context);
    if (cowshim_plain_invalid(a, length) != 0 || cowshim_plain_invalid(b, length) != 0 || (flags & ~COWSHIM_DIFF_NO_READ) != 0)
        return answer(-EINVAL);
    return search_all(&search, length) ? (ssize_t)search.total : answer(-ECANCELED);
}

HOOK ssize_t cowshim_merge(void *a, void *b, size_t length, unsigned flags)
{
    struct search apart = {a, b, COWSHIM_DIFF_NO_READ, NULL, NULL, 0, 0, 0};
    int error;

    if (!AT_WORK || cowshim_plain_merge(a, b, length, flags) != 0)
        return cowshim_plain_merge(a, b, length, flags);
    error = error_of(engine_merge(a, b, length, (flags & COWSHIM_MERGE_ALL) != 0));
    if (error != 0)
        return answer(error);
    search_all(&apart, length);
    return (ssize_t)(length - apart.total);
}

HOOK int cowshim_stats(struct cowshim_figures *out, size_t size)
{
    struct engine_figures now;
    struct cowshim_figures figures;
    int error;

    if (!AT_WORK)
        return cowshim_plain_stats(out, size);
    if (cowshim_plain_invalid(out, size) != 0)
        return -1;
    error = engine_figures(&now);
    if (error != 0)
        return answer(error);
    figures.blocks = now.blocks;
    figures.registered = now.registered;
    figures.views = now.views;
    figures.stores = now.stores;
    figures.store_bytes = now.store_bytes;
    figures.copies_shared = counter_read(COUNT_copies_shared);
    figures.bytes_shared = counter_read(COUNT_bytes_shared);
    figures.copies_plain = now.plain_copies;
    figures.bytes_plain = now.plain_bytes;
    figures.sealed_bytes = counter_read(COUNT_sealed_bytes);
    figures.reclaimed_bytes = counter_read(COUNT_reclaimed_bytes);
    figures.merged_bytes = counter_read(COUNT_merged_bytes);
    bytes_fill(out, 0, size);
    bytes_copy(out, &figures, size < sizeof figures ? size : sizeof figures);
    return 0;
}

static const struct cowshim_table table = {
    .level = COWSHIM_API,
    .active = cowshim_active,
    .version = cowshim_version,
    .register_range = cowshim_register,
    .unregister_range = cowshim_unregister,
    .dup = cowshim_dup,
    .copy = cowshim_copy,
    .seal = cowshim_seal,
    .exclude = cowshim_exclude,
    .include = cowshim_include,
    .expect_rewrite = cowshim_expect_rewrite,
    .residency = cowshim_residency,
    .diff = cowshim_diff,
    .stats = cowshim_stats,
    .merge = cowshim_merge,
};

HOOK const struct cowshim_table *cowshim_calls(void)
{
    return &table;
}
