/* SPDX-License-Identifier: MIT */
#include "engine/store/sweep.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "engine/block/foreign.h"
#include "engine/memory/look.h"
#include "engine/process/entry.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"
#include "kernel/pressure.h"
#include "kernel/storefile.h"
#include "kernel/usage.h"

#include "base/poison.h"

/* Stores are looked at in windows of this many pages, one bit each. */
#define WINDOW 4096
#define BYTES (WINDOW / 8)
#define RUNS 64
/* A page that the program makes private by a write, which costs a fault and a punch that tears a huge page, is taken to cost so many times
   what one costs when many are made private at once. */
#define DISSOLVE 8

/* More than the budget for views by far, unless the administrator raised vm.max_map_count. */
#define VIEWS (SCRATCH_SIZE / sizeof(struct view))

static void add_view(struct tree_node *node, void *context)
{
    struct sweep *sweep = context;
    struct extent *extent = tree_entry(node, struct extent, by_offset);

    block_hold(extent->block);
    sweep->views[sweep->count].extent = extent;
    sweep->views[sweep->count++].block = extent->block;
}

static void set_each(unsigned char *bits, size_t from, size_t to, bool value)
{
    for (size_t i = from; i < to; i++) {
        unsigned char bit = (unsigned char)(1u << (i & 7));

        bits[i >> 3] = (unsigned char)(value ? bits[i >> 3] | bit : bits[i >> 3] & ~bit);
    }
}

static void set_bits(unsigned char *bits, size_t from, size_t to, bool value)
{
    size_t first = align_up(from, 8);
    size_t last = align_down(to, 8);

    if (first >= last) {
        set_each(bits, from, to, value);
        return;
    }
    set_each(bits, from, first, value);
    bytes_fill(bits + first / 8, value ? 0xff : 0, (last - first) / 8);
    set_each(bits, last, to, value);
}

static bool bit_set(const unsigned char *bits, size_t i)
{
    return (bits[i >> 3] >> (i & 7) & 1) != 0;
}

/* Where in memory a view shows [offset, end) of the store, and from which offset on; empty: it shows nothing of that. */
static struct page_run shown_by(const struct extent *view, uint64_t offset, uint64_t end, uint64_t *from)
{
    uint64_t to = view->by_offset.key + view->size < end ? view->by_offset.key + view->size : end;
    uintptr_t start;

    *from = view->by_offset.key > offset ? view->by_offset.key : offset;
    start = extent_start(view) + (uintptr_t)(*from - view->by_offset.key);
    return (struct page_run){start, *from < to ? start + (uintptr_t)(to - *from) : start};
}

/* Pages that this view shows are alive; some of [offset, end) are in it. False: the kernel did not tell. */
static bool keep_shown(const struct extent *view, uint64_t offset, uint64_t end, unsigned char *dead)
{
    uint64_t from;
    struct page_run shown = shown_by(view, offset, end, &from);
    uintptr_t address = shown.start, stop = shown.end;
    size_t page = (size_t)(from - offset) / page_size;

    while (address < stop) {
        struct page_run runs[RUNS];
        uintptr_t walked;
        int count = pagemap_runs(PAGES_PRIVATE, address, stop, runs, RUNS, &walked);

        if (count < 0)
            return false;
        for (int i = 0; i < count; i++) {
            set_bits(dead, page, page + (runs[i].start - address) / page_size, false);
            page += (runs[i].end - address) / page_size;
            address = runs[i].end;
        }
        set_bits(dead, page, page + (walked - address) / page_size, false);
        page += (walked - address) / page_size;
        address = walked;
    }
    return true;
}

/* The bits of what was punched before; NULL when there is no memory for them. */
static unsigned char *punched_bits(struct store *store)
{
    if (store->punched == NULL)
        store->punched = store->range.size <= STORE_FEW * page_size ? store->few : arena_pages_take(store->range.size / page_size / 8);
    return store->punched;
}

/* The first page from here on that is dead and was not punched; base: the page of the store that bit 0 of `dead` stands for. */
static size_t next_new(const unsigned char *dead, const unsigned char *punched, size_t base, size_t from, size_t pages)
{
    while (from < pages) {
        unsigned left = (unsigned)(dead[from >> 3] & ~punched[(base + from) >> 3]) >> (from & 7);

        if (left != 0) {
            from += (size_t)__builtin_ctz(left);
            break;
        }
        from = align_down(from, 8) + 8;
    }
    return from < pages ? from : pages;
}

/* Where pages may be read later, large ones are punched whole or not at all (storefile_largest_page()); what was punched of one before is
   punched again with the rest of it. */
static void spare_parts(const struct sweep *sweep, uint64_t offset, unsigned char *dead, size_t pages, unsigned char *punched)
{
    size_t unit = storefile_largest_page(sweep->store->file->kind);
    size_t base = (offset - store_start(sweep->store)) / page_size;
    size_t next;

    for (size_t page = 0; unit > page_size && page < pages; page = next) {
        uint64_t at = offset + page * page_size;
        size_t left = (unit - at % unit) / page_size;
        size_t all = page;

        next = left < pages - page ? page + left : pages;
        while (all < next && bit_set(dead, all))
            all++;
        if (next - page < unit / page_size || all < next)
            set_bits(dead, page, next, false);
        else if (next_new(dead, punched, base, page, next) < next)
            set_bits(punched, base + page, base + next, false);
    }
}

static void punch_dead(struct sweep *sweep, int fd, uint64_t offset, const unsigned char *dead, size_t pages, unsigned char *punched)
{
    size_t base = (offset - store_start(sweep->store)) / page_size;
    size_t to;

    for (size_t from = 0; (from = next_new(dead, punched, base, from, pages)) < pages; from = to) {
        to = from;
        while (to < pages && bit_set(dead, to) && !bit_set(punched, base + to))
            to++;
        if (storefile_punch(fd, offset + from * page_size, (to - from) * page_size) == 0) {
            set_bits(punched, base + from, base + to, true);
            sweep->freed += (to - from) * page_size;
        }
    }
}

/* Asks one view after the other until nothing is left that can be dead. False: the kernel did not tell. */
static bool find_dead(const struct sweep *sweep, uint64_t offset, size_t pages, unsigned char *dead, const unsigned char *punched)
{
    uint64_t end = offset + pages * page_size;
    size_t base = (offset - store_start(sweep->store)) / page_size;

    set_bits(dead, 0, pages, true);
    for (size_t i = 0; i < sweep->count && sweep->views[i].extent->by_offset.key < end; i++) {
        const struct extent *view = sweep->views[i].extent;

        if (view->by_offset.key + view->size <= offset)
            continue;
        if (!keep_shown(view, offset, end, dead))
            return false;
        if (next_new(dead, punched, base, 0, pages) == pages)
            break;
    }
    return true;
}

/* Whether one block shows each page of the store at most once, and the last copy of it was better plain: nothing is shared by the store,
   and each page that is written costs a fault and a punch. */
static bool is_deserted(const struct sweep *sweep)
{
    const struct view *views = sweep->views;
    const struct block *block = sweep->count == 0 ? NULL : views[0].block;

    if (block == NULL || block_foreign(block) || block->given.pages == 0 || block->given.shared != 0)
        return false;
    for (size_t i = 1; i < sweep->count; i++)
        if (views[i].block != block || views[i].extent->by_offset.key < views[i - 1].extent->by_offset.key + views[i - 1].extent->size)
            return false;
    return true;
}

/* Makes all pages of views in [offset, end) that still show the store private at once, as soon as the pages that were written one by one
   have cost as much. A write by the program does the same to a page, so that no writer has to be held off. False: not yet, and nothing was
   changed. */
static bool dissolve(const struct sweep *sweep, uint64_t offset, uint64_t end, const unsigned char *dead)
{
    size_t all = 0, kept = 0;
    uint64_t from;

    for (size_t i = 0; i < (end - offset) / page_size; i++)
        kept += !bit_set(dead, i);
    for (size_t i = 0; i < sweep->count; i++) {
        struct page_run shown = shown_by(sweep->views[i].extent, offset, end, &from);

        all += (shown.end - shown.start) / page_size;
    }
    if (kept == 0 || kept > (all - kept) * DISSOLVE || pressure_high())
        return false;
    for (size_t i = 0; i < sweep->count; i++) {
        struct page_run shown = shown_by(sweep->views[i].extent, offset, end, &from);

        if (shown.start < shown.end)
            map_populate_write(shown.start, shown.end - shown.start);
    }
    return true;
}

static bool sweep_window(struct sweep *sweep, int fd, uint64_t offset, unsigned char *punched)
{
    unsigned char dead[BYTES];
    size_t pages = (sweep->end - offset) / page_size;

    if (pages > WINDOW)
        pages = WINDOW;
    dead[(pages - 1) >> 3] = 0; /* the bits behind the last page are looked at as well */
    if (!find_dead(sweep, offset, pages, dead, punched))
        return false;
    if (next_new(dead, punched, (offset - store_start(sweep->store)) / page_size, 0, pages) == pages)
        return true;
    /* After the look, not before: a copy of the process that is made from now on hides the same pages. */
    if (!store_alone(sweep->store))
        return false;
    if (sweep->deserted && dissolve(sweep, offset, offset + pages * page_size, dead) && !find_dead(sweep, offset, pages, dead, punched))
        return false;
    if (look_read_later())
        spare_parts(sweep, offset, dead, pages, punched);
    punch_dead(sweep, fd, offset, dead, pages, punched);
    return true;
}

/* A view that was moved behind our back may hide its pages no more, wherever it is. */
static bool all_in_place(const struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->count; i++)
        if (block_foreign(sweep->views[i].block) && !foreign_in_place(sweep->views[i].extent)) {
            store_share(sweep->store);
            return false;
        }
    return true;
}

/* The locks of all blocks that show the store. Tried, not waited for: whoever is at work there makes an event of its own. */
static bool lock_blocks(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->count; i++) {
        struct block *block = sweep->views[i].block;

        if (!block->swept && !lock_try(&block->lock))
            return false;
        block->swept = true;
    }
    return store_picture_holds(sweep->store, &sweep->picture) && all_in_place(sweep);
}

static void unlock_blocks(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->count; i++) {
        struct block *block = sweep->views[i].block;

        if (block->swept) {
            block->swept = false;
            lock_drop(&block->lock);
        }
        block_release(block);
    }
}

bool sweep_over(uint64_t freed, uint64_t deadline)
{
    return deadline != UINT64_MAX && ((freed == 0 && usage_now() > deadline) || entry_wanted());
}

/* False: cut short, and *at is where to go on. */
static bool sweep_windows(struct sweep *sweep, uint64_t *at)
{
    int fd = store_use(sweep->store);
    unsigned char *punched = fd < 0 ? NULL : punched_bits(sweep->store);

    if (punched == NULL)
        return true;
    if (*at < store_start(sweep->store))
        *at = store_start(sweep->store);
    for (uint64_t offset = *at; offset < sweep->end; offset += (uint64_t)WINDOW * page_size) {
        if (!sweep_window(sweep, fd, offset, punched))
            break;
        if (sweep_over(sweep->freed, sweep->deadline)) {
            *at = offset + (uint64_t)WINDOW * page_size;
            return false;
        }
    }
    *at = 0;
    return true;
}

bool sweep_part(struct sweep *sweep, uint64_t *at, uint64_t end, bool *whole)
{
    bool locked;

    if (store_picture_take(sweep->store, &sweep->picture, VIEWS, add_view, sweep) != 0)
        return false;
    sweep->end = end < sweep->picture.used ? end : sweep->picture.used;
    locked = lock_blocks(sweep);
    sweep->deserted = locked && is_deserted(sweep);
    if (locked)
        *whole = sweep_windows(sweep, at);
    unlock_blocks(sweep);
    return locked;
}
