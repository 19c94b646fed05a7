/* SPDX-License-Identifier: MIT */
/* Finds the pages of two ranges that may differ. Two pages are the same where both sides show the same page of a store, or are holes in
   anonymous memory, and neither side has a private page there; so only private pages are listed. Memory that is no block, or is not mapped
   as we believe, may differ everywhere.
   The counterpart of a private page is a page of a store that perhaps nobody has read yet. Reading it in place is expensive: the page fault
   maps the fifteen pages beside it as well, and on machines that keep page tables twice (guests of PVM) each of those costs once more when
   it is first looked at. Therefore small stores are read through their file: single pages here, before the caller is told of them, and long
   runs piece by piece in engine_differs(). */
#include <string.h>

#include "base/arena.h"
#include "base/page.h"
#include "engine/block/block.h"
#include "engine/control.h"
#include "engine/process/entry.h"
#include "engine/memory/look.h"
#include "engine/store/extent.h"
#include "engine/copy/verify.h"
#include "kernel/pagemap.h"
#include "kernel/storefile.h"

#include "base/poison.h"

/* The most that is looked at under the locks of the blocks at a time. */
#define WINDOW ((size_t)256 << 20)
#define RUNS 128
/* Runs of private pages up to this size are compared here, longer ones by engine_differs(). */
#define ALONE (4 * page_size)

struct compare {
    uintptr_t a, b;
    bool read;
    struct engine_range *ranges;
    size_t max, count;
    unsigned char *images; /* what the stores have for the ranges with LOOK_A and LOOK_B, one after the other; or NULL */
    size_t images_size;
};

/* Appends a range, or extends the last one if the two touch and must be read in the same way. False: there is no room for it. */
static bool add(struct compare *compare, size_t from, size_t to, enum engine_look look)
{
    struct engine_range *last = compare->count == 0 ? NULL : &compare->ranges[compare->count - 1];

    if (last != NULL && last->offset + last->size >= from && last->look == look) {
        if (to > last->offset + last->size)
            last->size = to - last->offset;
        return true;
    }
    if (compare->count == compare->max)
        return false;
    compare->ranges[compare->count++] = (struct engine_range){from, to - from, look};
    return true;
}

/* The end of the extent, or of the gap between extents, that the address lies in. *store is the store that is shown there, or NULL. */
static uintptr_t end_of_extent(const struct block *block, uintptr_t address, struct store **store, uint64_t *offset)
{
    const struct extent *extent = extent_from(block, address);

    *store = NULL;
    *offset = 0;
    if (extent == NULL)
        return UINTPTR_MAX;
    if (extent_start(extent) > address)
        return extent_start(extent);
    *store = extent->store;
    *offset = extent_offset(extent, address);
    return extent_end(extent);
}

struct list {
    struct page_run runs[RUNS];
    size_t count, at;
    uintptr_t walked;
};

static int list_private(struct list *list, uintptr_t start, uintptr_t end, size_t room)
{
    int count = pagemap_runs(PAGES_PRIVATE, start, end, list->runs, room < RUNS ? room : RUNS, &list->walked);

    list->count = count < 0 ? 0 : (size_t)count;
    list->at = 0;
    return count < 0 ? count : 0;
}

/* The part of a store that both blocks show. */
struct shown {
    int fd;          /* to read the store by; negative: it is not to be read */
    uint64_t offset; /* in the store, of what the two ranges would show at their start */
};

/* The descriptor to read the store by, or negative. A store of huge pages is not read, because one fault maps the whole of such a page. */
static int image_source(const struct compare *compare, struct store *store)
{
    return compare->read && store != NULL && store->file->kind == STOREFILE_SMALL ? store_use(store) : -1;
}

/* Reads what the store has for a run that is private in one of the two alone. */
static bool take_image(struct compare *compare, const struct shown *shown, size_t start, size_t end)
{
    size_t size = end - start;

    if (compare->images == NULL)
        compare->images = scratch_take();
    if (compare->images == NULL || size > SCRATCH_SIZE - compare->images_size ||
        storefile_read(shown->fd, compare->images + compare->images_size, size, shown->offset + start) != 0)
        return false;
    compare->images_size += size;
    return true;
}

/* What has to be read of a run that is private in one of the two alone. */
static enum engine_look look_at(struct compare *compare, const struct shown *shown, bool in_a, size_t start, size_t end)
{
    if (shown->fd < 0)
        return LOOK_BOTH;
    if (end - start > ALONE)
        return in_a ? LOOK_B_STORED : LOOK_A_STORED;
    if (!take_image(compare, shown, start, end))
        return LOOK_BOTH;
    return in_a ? LOOK_A : LOOK_B;
}

/* The offset at which the next run begins, or SIZE_MAX after the last one. */
static size_t next_start(const struct list *list, uintptr_t base)
{
    return list->at < list->count ? list->runs[list->at].start - base : SIZE_MAX;
}

/* Adds the runs of both lists that begin below `to`, in rising order. Returns how far it came. */
static size_t add_lists(struct compare *compare, const struct shown *shown, struct list *a, struct list *b, size_t to)
{
    size_t covered = 0;

    for (;;) {
        bool in_a = next_start(a, compare->a) <= next_start(b, compare->b);
        struct list *list = in_a ? a : b;
        uintptr_t base = in_a ? compare->a : compare->b;
        size_t start = next_start(list, base);
        size_t end;
        bool alone;

        if (start >= to)
            return to;
        if (compare->count == compare->max)
            return start;
        end = min_address(list->runs[list->at++].end - base, to);
        alone = start >= covered && (in_a ? next_start(b, compare->b) : next_start(a, compare->a)) >= end;
        add(compare, start, end, alone ? look_at(compare, shown, in_a, start, end) : LOOK_BOTH);
        covered = end > covered ? end : covered;
    }
}

/* Adds the pages of [from, to) that are private in either of the two, in rising order. Returns how far it came. */
static size_t add_private(struct compare *compare, const struct shown *shown, size_t from, size_t to)
{
    size_t room = compare->max - compare->count;
    struct list a, b;
    int error = list_private(&a, compare->a + from, compare->a + to, room);

    if (error == 0) { /* b only as far as a was walked: what lies beyond would have to be walked again */
        to = a.walked - compare->a;
        error = list_private(&b, compare->b + from, compare->b + to, room);
    }
    if (error != 0)
        return add(compare, from, to, LOOK_BOTH) ? to : from;
    return add_lists(compare, shown, &a, &b, b.walked - compare->b);
}

/* Both blocks locked. Returns how far it came. */
static size_t compare_blocks(struct compare *compare, const struct block *a, const struct block *b, size_t size)
{
    size_t from = 0;

    while (from < size && compare->count < compare->max) {
        struct store *store_a, *store_b;
        uint64_t offset_a, offset_b;
        uintptr_t end_a = end_of_extent(a, compare->a + from, &store_a, &offset_a);
        uintptr_t end_b = end_of_extent(b, compare->b + from, &store_b, &offset_b);
        size_t stop = min_address(size, min_address(end_a - compare->a, end_b - compare->b));

        if (store_a == store_b && offset_a == offset_b) {
            struct shown shown = {image_source(compare, store_a), offset_a - from};

            from = add_private(compare, &shown, from, stop);
        } else {
            add(compare, from, stop, LOOK_BOTH);
            from = stop;
        }
    }
    return from;
}

static bool as_believed(const struct block *block, uintptr_t start, uintptr_t end)
{
    return block->live && verify_range(block, start, end) == 0;
}

/* The same for two ranges that need not lie in blocks. Nothing was added before, so that there is room for one range at least. */
static size_t compare_pages(struct compare *compare, size_t size)
{
    struct block *a = block_find_range(compare->a, size);
    struct block *b = block_find_range(compare->b, size);
    size_t reached = 0;

    if (a != NULL && b != NULL && descriptor_in_own_process() && look_holes_are_zero()) {
        block_lock_pair(a, b);
        if (as_believed(a, compare->a, compare->a + size) && as_believed(b, compare->b, compare->b + size))
            reached = compare_blocks(compare, a, b, size);
        block_unlock_pair(a, b);
    }
    if (reached == 0) { /* nothing is known about the two ranges */
        add(compare, 0, size, LOOK_BOTH);
        reached = size;
    }
    block_release(a);
    block_release(b);
    return reached;
}

/* Bytes in the pages that differ from the image of their counterpart. */
static size_t differing(const unsigned char *memory, const unsigned char *image, size_t size)
{
    size_t count = 0;

    for (size_t at = 0; at < size; at += page_size)
        count += memcmp(memory + at, image + at, page_size) != 0;
    return count * page_size;
}

/* Inside, so that a fork never finds the arena in use. */
static void give_images(unsigned char *images)
{
    struct entry entry;

    if (entry_begin(&entry)) {
        scratch_give(images);
        entry_end(&entry);
    }
}

/* Compares the ranges with LOOK_A and LOOK_B with the images. Those that are equal are removed, those that differ everywhere become
   LOOK_NONE, and the caller has to read the others. Without locks, because reading memory of the program may take a page fault. */
static void compare_images(struct compare *compare)
{
    const unsigned char *image = compare->images;
    size_t kept = 0;

    for (size_t i = 0; i < compare->count; i++) {
        struct engine_range range = compare->ranges[i];

        if (range.look == LOOK_A || range.look == LOOK_B) {
            uintptr_t base = range.look == LOOK_A ? compare->a : compare->b;
            size_t differs = differing((const unsigned char *)(base + range.offset), image, range.size);

            image += range.size;
            if (differs == 0)
                continue;
            range.look = differs == range.size ? LOOK_NONE : LOOK_BOTH;
        }
        compare->ranges[kept++] = range;
    }
    compare->count = kept;
}

size_t engine_compare(const void *a, const void *b, size_t size, bool read, struct engine_range *ranges, size_t max, size_t *count)
{
    struct compare compare = {.a = (uintptr_t)a, .b = (uintptr_t)b, .read = read, .ranges = ranges, .max = max};
    size_t head = page_up(compare.a) - compare.a;
    struct entry entry;

    if (head == 0 && size >= page_size && page_aligned(compare.a - compare.b) && entry_begin_quiet(&entry)) {
        size = compare_pages(&compare, page_down(size < WINDOW ? size : WINDOW));
        entry_end(&entry);
    } else {
        size = head != 0 && head < size ? head : size;
        add(&compare, 0, size, LOOK_BOTH);
    }
    if (compare.images != NULL) {
        compare_images(&compare);
        give_images(compare.images);
    }
    *count = compare.count;
    return size;
}

/* Reads what the range shows from its store. False unless it is one extent of which no page was touched yet. Needs the lock. */
static bool read_unmapped(const struct block *block, uintptr_t start, size_t size, unsigned char *image)
{
    const struct extent *extent = extent_from(block, start);
    int fd;

    if (extent == NULL || extent_start(extent) > start || extent_end(extent) < start + size ||
        pagemap_any(PAGES_TOUCHED, start, start + size) != 0 || !as_believed(block, start, start + size))
        return false;
    fd = store_use(extent->store);
    return fd >= 0 && storefile_read(fd, image, size, extent_offset(extent, start)) == 0;
}

/* The same for a range that may lie in a block: an image in scratch memory, or NULL. */
static unsigned char *take_unmapped(uintptr_t start, size_t size)
{
    struct block *block = block_find_range(start, size);
    unsigned char *image = block == NULL || !descriptor_in_own_process() ? NULL : scratch_take();
    bool done = false;

    if (image != NULL) {
        lock_take(&block->lock);
        done = read_unmapped(block, start, size, image);
        lock_drop(&block->lock);
    }
    block_release(block);
    if (done)
        return image;
    scratch_give(image);
    return NULL;
}

bool engine_differs(const void *memory, const void *stored, size_t size, uint64_t *pages)
{
    struct entry entry;
    unsigned char *image;

    if (size > SCRATCH_SIZE || !entry_begin_quiet(&entry)) /* where pages are of 64 KiB */
        return false;
    image = take_unmapped((uintptr_t)stored, size);
    entry_end(&entry);
    if (image == NULL)
        return false;
    *pages = 0;
    for (size_t i = 0; i < size / page_size; i++)
        *pages |= (uint64_t)(memcmp((const char *)memory + i * page_size, image + i * page_size, page_size) != 0) << i;
    give_images(image);
    return true;
}
