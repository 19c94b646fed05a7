/* SPDX-License-Identifier: MIT */
#include "engine/copy/seal.h"

#include <errno.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/log.h"
#include "engine/copy/verify.h"
#include "engine/memory/look.h"
#include "engine/process/entry.h"
#include "engine/store/extent.h"
#include "kernel/holders.h"
#include "kernel/map.h"

#include "base/poison.h"

/* Runs with holes of up to this many pages between them are sealed together, holes and all: one VMA instead of many. A hole of
   a store costs a page when it is read, a native copy would have cost that page too. */
#define HOLE_PAGES 32
/* A shorter run is copied: sealing costs two VMAs and as much time as copying this many pages. */
#define SHORT_PAGES 16
/* Whole huge pages inside a run go to a huge store from this size on; smaller ones are not worth three VMAs. */
#define HUGE_CORE (2 * HUGE_SIZE)
/* The unit in which writers are held off, by which memory is used twice, and after which those who wait have their turn: a millisecond or
   two of writing. Pieces end where huge pages of the block do: one of which a half is mapped over is torn into 512 small ones first. */
#define PIECE HUGE_SIZE

#define STRETCHES (SCRATCH_SIZE / sizeof(struct page_run))

static size_t short_pages = SHORT_PAGES;

struct seal {
    struct block *block;
    const struct write_guard *guard;
    const struct page_run *runs; /* all private runs of the cluster */
    size_t count;
};

/* A range that goes to one store in one stretch. */
struct segment {
    uintptr_t start, end;
    enum storefile_kind kind;
    bool has_holes;
    struct store *store;
    uint64_t offset;
};

void seal_init(void)
{
    /* Who asks for very small blocks wants them shared. */
    size_t pages = config_size(min_size) / page_size / 2;

    short_pages = pages < SHORT_PAGES ? pages : SHORT_PAGES;
}

static int write_run(struct segment *segment, uintptr_t start, uintptr_t end)
{
    int fd = store_use(segment->store);

    return fd < 0 ? fd : storefile_write(fd, start, end - start, segment->offset + (start - segment->start));
}

/* Holes may have become pages between the scan and the moment at which writers were stopped: look again, now that nobody writes. */
static int write_rescanned(struct segment *segment, uintptr_t start, uintptr_t end)
{
    struct page_run runs[32];

    while (start < end) {
        uintptr_t walked;
        int count = pagemap_runs(PAGES_PRIVATE, start, end, runs, 32, &walked);

        if (count < 0)
            return count;
        for (int i = 0; i < count; i++) {
            int error = write_run(segment, runs[i].start, runs[i].end);

            if (error != 0)
                return error;
        }
        start = walked;
    }
    return 0;
}

static int write_known(const struct seal *seal, struct segment *segment, uintptr_t start, uintptr_t end)
{
    for (size_t i = 0; i < seal->count; i++) {
        uintptr_t from = max_address(seal->runs[i].start, start);
        uintptr_t to = min_address(seal->runs[i].end, end);
        int error = from < to ? write_run(segment, from, to) : 0;

        if (error != 0)
            return error;
    }
    return 0;
}

static int write_piece(const struct seal *seal, struct segment *segment, uintptr_t start, uintptr_t end)
{
    if (!segment->has_holes)
        return write_run(segment, start, end);
    if (seal->guard->active)
        return write_rescanned(segment, start, end);
    return write_known(seal, segment, start, end);
}

static int map_piece(const struct segment *segment, uintptr_t start, uintptr_t end)
{
    int fd = store_use(segment->store);

    return fd < 0 ? fd : map_file(start, end - start, fd, segment->offset + (start - segment->start));
}

/* A failure of its own, so that it is not taken for one of the store. */
static int stop_writers(const struct seal *seal, uintptr_t start, uintptr_t end)
{
    int error = seal->guard->stop_writers(start, end);

    if (error == 0 || error == -EDEADLK)
        return error;
    log_debug("writers are not held off: error %d", -error);
    return -ENOLCK;
}

static int seal_piece(const struct seal *seal, struct segment *segment, uintptr_t start, uintptr_t end)
{
    struct extent_spares spares;
    int error = extent_spares_take(&spares);

    if (error != 0)
        return error;
    /* A protected hole would look like a swapped page to the rescan; the zero page does not. Without it more is written. */
    if (segment->has_holes && seal->guard->active)
        map_populate_read(start, end - start);
    error = stop_writers(seal, start, end);
    if (error == 0) {
        error = write_piece(seal, segment, start, end);
        if (error == 0)
            error = map_piece(segment, start, end);
        if (error == 0)
            seal->guard->replaced(start, end);
        else
            seal->guard->cancel(start, end);
    }
    if (error == 0) {
        extent_set(seal->block, start, end, segment->store, segment->offset + (start - segment->start), &spares);
        counter_add(COUNT_sealed_bytes, end - start);
    }
    extent_spares_give(&spares);
    return error;
}

static int seal_segment(const struct seal *seal, struct segment *segment)
{
    uintptr_t at = segment->start;
    int error = store_reserve(segment->kind, segment->end - segment->start, &segment->store, &segment->offset);

    if (error != 0)
        return error;
    while (error == 0 && at < segment->end) {
        uintptr_t stop = min_address(align_down(at, HUGE_SIZE) + PIECE, segment->end);

        error = seal_piece(seal, segment, at, stop);
        if (error == 0)
            at = stop;
        if (error == 0 && at < segment->end && entry_wanted())
            error = -ERESTART;
    }
    if (error == 0)
        store_finish(segment->store);
    else
        store_abandon(segment->store, segment->offset + (at - segment->start), segment->end - at);
    counter_add(error == 0 || error == -ERESTART ? COUNT_seals : COUNT_seal_failures, 1);
    return error;
}

static int seal_small(const struct seal *seal, uintptr_t start, uintptr_t end)
{
    struct segment segment = {start, end, STOREFILE_SMALL, seal->count > 1, NULL, 0};

    return start < end ? seal_segment(seal, &segment) : 0;
}

/* The whole huge pages inside a run, or an empty range. Where pages may be read later huge ones are not given back in part. */
static struct page_run huge_core(const struct page_run *run)
{
    struct page_run core = {align_up(run->start, HUGE_SIZE), align_down(run->end, HUGE_SIZE)};

    if (core.end < core.start || core.end - core.start < HUGE_CORE || (holders_known() & HOLDER_READER) != 0 || !storefile_huge_available())
        core.end = core.start = run->end;
    return core;
}

/* Cores of long runs to the huge store, all between them to a small one. */
static int seal_cluster(const struct seal *seal)
{
    uintptr_t at = seal->runs[0].start;
    uintptr_t end = seal->runs[seal->count - 1].end;
    int error = 0;

    for (size_t i = 0; error == 0 && i < seal->count; i++) {
        struct page_run core = huge_core(&seal->runs[i]);
        struct segment segment = {core.start, core.end, STOREFILE_HUGE, false, NULL, 0};

        if (core.start == core.end)
            continue;
        error = seal_small(seal, at, core.start);
        if (error == 0)
            error = seal_segment(seal, &segment);
        at = core.end;
    }
    return error != 0 ? error : seal_small(seal, at, end);
}

/* Whether the next run is sealed together with this one: a short hole of anonymous memory between them. */
static bool belongs(const struct block *block, const struct page_run *run, const struct page_run *next)
{
    return next->start - run->end <= HOLE_PAGES * page_size && !extent_any(block, run->end - 1, next->start + 1);
}

static size_t cluster_length(const struct block *block, const struct page_run *runs, size_t count)
{
    size_t length = 1;

    while (length < count && belongs(block, &runs[length - 1], &runs[length]))
        length++;
    return length;
}

/* Adds a stretch to a rising list, joined to the last one where they touch. */
static bool add_stretch(struct page_run *list, size_t *length, uintptr_t start, uintptr_t end)
{
    if (*length > 0 && list[*length - 1].end >= start) {
        list[*length - 1].end = max_address(list[*length - 1].end, end);
        return true;
    }
    if (*length == STRETCHES)
        return false;
    list[*length].start = start;
    list[(*length)++].end = end;
    return true;
}

/* Views and private runs of the range, merged. */
static size_t list_stretches(const struct block *block, uintptr_t start, uintptr_t end, const struct page_run *runs, size_t count,
                             struct page_run *list)
{
    const struct extent *extent = extent_from(block, start);
    size_t length = 0;
    bool room = true;

    while (room) {
        uintptr_t view = extent == NULL ? end : max_address(extent_start(extent), start);

        if (count > 0 && runs->start < view) {
            room = add_stretch(list, &length, runs->start, runs->end);
            runs++;
            count--;
        } else if (view < end) {
            room = add_stretch(list, &length, view, min_address(extent_end(extent), end));
            extent = extent_after(extent);
        } else {
            break;
        }
    }
    return length;
}

int seal_whole(struct block *block, const struct write_guard *guard, uintptr_t start, uintptr_t end, const struct page_run *private_runs,
               size_t count)
{
    struct page_run *list = scratch_take();
    size_t length = list == NULL ? 0 : list_stretches(block, start, end, private_runs, count, list);
    int error = list == NULL ? -ENOMEM : 0;

    /* Each may cost a mapping before and after it; and a list that is full is perhaps not all. */
    if (error == 0 && (length == STRETCHES || !extent_budget_left(3 * length)))
        error = -ENOSPC;
    for (size_t i = 0; error == 0 && i < length; i++) {
        struct seal seal = {block, guard, &list[i], 1};

        error = seal_cluster(&seal);
    }
    scratch_give(list);
    return error;
}

size_t seal_runs(struct block *block, const struct write_guard *guard, struct page_run *runs, size_t count, int *error)
{
    size_t left = 0;
    size_t at = 0;

    *error = 0;
    while (at < count) {
        size_t length = cluster_length(block, runs + at, count - at);
        struct seal seal = {block, guard, runs + at, length};

        if (*error == 0 && pagemap_pages_in(runs + at, length) >= short_pages) {
            *error = extent_budget_left(3) ? seal_cluster(&seal) : -ENOSPC;
            if (*error == 0) {
                at += length;
                continue;
            }
        }
        while (length-- > 0)
            runs[left++] = runs[at++];
    }
    return left;
}

enum reason seal_range(struct block *block, uintptr_t start, uintptr_t end)
{
    struct look look = {NULL};
    struct page_run *runs = scratch_take();
    int error = runs == NULL ? -ENOMEM : verify_range(block, start, end);
    enum reason why = error == 0 ? REASON_none : reason_of_error(error);

    while (why == REASON_none && start < end) {
        int found = pagemap_runs(PAGES_PRIVATE, start, end, runs, STRETCHES, &start);

        why = found < 0 ? REASON_no_pagemap : found > 0 ? look_around(&look) : REASON_none;
        if (why != REASON_none || found == 0)
            continue;
        seal_runs(block, look.guard, runs, (size_t)found, &error);
        if (error != 0)
            why = reason_of_error(error);
    }
    scratch_give(runs);
    return why;
}
