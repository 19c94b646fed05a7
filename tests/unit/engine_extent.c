/* SPDX-License-Identifier: MIT */
/* Extents against a model that knows for each page which page of which store it shows. Nothing is mapped: extents are records. */
#include <string.h>

#include "base/config.h"
#include "engine_unit.h"
#include "kernel/map.h"

#define PAGES 200
#define BLOCKS 2
#define STORES 3
#define STORE_PAGES 100

struct page {
    struct store *store; /* NULL: anonymous */
    size_t number;       /* of the page in it */
};

struct model {
    struct block *block[BLOCKS];
    struct page page[BLOCKS][PAGES];
    struct store *store[STORES];
};

/* A store that nobody writes and that this test holds. */
static struct store *new_store(enum storefile_kind kind, size_t size)
{
    struct store *store;
    uint64_t offset;

    CHECK_EQ(store_reserve(kind, size, &store, &offset), 0);
    CHECK_EQ(offset, store_start(store));
    store_hold(store);
    store_finish(store);
    return store;
}

static void begin(struct model *model)
{
    unit_start("");
    memset(model, 0, sizeof *model);
    for (uintptr_t i = 0; i < BLOCKS; i++)
        model->block[i] = block_add((i + 1) << 40, PAGES * page_size, NULL);
    for (int i = 0; i < STORES; i++) /* from a MiB on each is one of its own */
        model->store[i] = new_store(STOREFILE_SMALL, (size_t)32 << 20);
}

static uintptr_t address_of(const struct model *model, int b, size_t page)
{
    return block_start(model->block[b]) + page * page_size;
}

static void set(struct model *model, int b, size_t from, size_t to, struct store *store, size_t number)
{
    struct extent_spares spares;

    CHECK_EQ(extent_spares_take(&spares), 0);
    lock_take(&model->block[b]->lock);
    extent_set(model->block[b], address_of(model, b, from), address_of(model, b, to), store, store_start(store) + number * page_size,
               &spares);
    lock_drop(&model->block[b]->lock);
    extent_spares_give(&spares);
    for (size_t page = from; page < to; page++)
        model->page[b][page] = (struct page){store, number + page - from};
}

static void clear(struct model *model, int b, size_t from, size_t to)
{
    struct extent_spares spares;

    CHECK_EQ(extent_spares_take(&spares), 0);
    lock_take(&model->block[b]->lock);
    extent_clear(model->block[b], address_of(model, b, from), address_of(model, b, to), &spares);
    lock_drop(&model->block[b]->lock);
    extent_spares_give(&spares);
    for (size_t page = from; page < to; page++)
        model->page[b][page].store = NULL;
}

static bool shown(const struct model *model, int b, size_t page)
{
    return page < PAGES && model->page[b][page].store != NULL;
}

static bool continues(const struct model *model, int b, size_t page)
{
    const struct page *left = &model->page[b][page - 1], *right = left + 1;

    return shown(model, b, page) && left->store == right->store && left->number + 1 == right->number;
}

/* Where the run of pages that are one extent ends. */
static size_t run_end(const struct model *model, int b, size_t page)
{
    for (page++; page < PAGES && continues(model, b, page); page++)
        ;
    return page;
}

/* In its store. */
static uint64_t offset_of(const struct extent *extent, uintptr_t address)
{
    return extent_offset(extent, address) - store_start(extent->store);
}

/* The extents are the longest runs of the model, in order and nothing else. */
static size_t check_block(const struct model *model, int b)
{
    const struct extent *extent = extent_from(model->block[b], 0);
    size_t count = 0;

    for (size_t page = 0; page < PAGES;) {
        size_t end;

        if (!shown(model, b, page)) {
            page++;
            continue;
        }
        end = run_end(model, b, page);
        CHECK_AT(extent != NULL, page);
        CHECK_AT(extent_start(extent) == address_of(model, b, page), page);
        CHECK_AT(extent_end(extent) == address_of(model, b, end), page);
        CHECK_AT(extent->store == model->page[b][page].store, page);
        CHECK_AT(offset_of(extent, extent_start(extent)) == model->page[b][page].number * page_size, page);
        CHECK_AT(extent->block == model->block[b], page);
        extent = extent_after(extent);
        page = end;
        count++;
    }
    CHECK(extent == NULL);
    CHECK_EQ(model->block[b]->extents_count, count);
    return count;
}

static void check_lookups(const struct model *model, int b)
{
    size_t page = unit_random() % PAGES, end = page + 1 + unit_random() % (PAGES - page), next = page;
    const struct extent *extent = extent_from(model->block[b], address_of(model, b, page) + unit_random() % page_size);

    while (next < PAGES && !shown(model, b, next))
        next++;
    CHECK_EQ(extent != NULL, next < PAGES);
    CHECK_EQ(extent_any(model->block[b], address_of(model, b, page), address_of(model, b, end)), next < end);
    if (extent == NULL)
        return;
    CHECK(extent_start(extent) <= address_of(model, b, next) && extent_end(extent) > address_of(model, b, next));
    CHECK(extent_end(extent) > address_of(model, b, page));
    CHECK_EQ(offset_of(extent, address_of(model, b, next)), model->page[b][next].number * page_size);
}

/* The same extents, seen from the store: by rising offset, each held. */
static void check_store(const struct model *model, struct store *store)
{
    unsigned count = 0;
    uint64_t last = 0;

    for (struct tree_node *node = tree_first(&store->views); node != NULL; node = tree_next(node)) {
        const struct extent *extent = tree_entry(node, struct extent, by_offset);

        CHECK_AT(extent->store == store && node->key >= last, count);
        last = node->key;
        count++;
    }
    for (int b = 0; b < BLOCKS; b++)
        for (size_t page = 0; page < PAGES; page++)
            if (shown(model, b, page) && model->page[b][page].store == store && (page == 0 || !continues(model, b, page)))
                count--;
    CHECK_EQ(count, 0);
    CHECK_EQ(store->holds, 1 + store->view_count);
}

static void check(const struct model *model)
{
    size_t count = 0;

    for (int b = 0; b < BLOCKS; b++) {
        count += check_block(model, b);
        check_lookups(model, b);
    }
    CHECK_EQ(extent_count(), count);
    for (int i = 0; i < STORES; i++)
        check_store(model, model->store[i]);
}

static size_t pages_shown(const struct model *model)
{
    size_t count = 0;

    for (int b = 0; b < BLOCKS; b++)
        for (size_t page = 0; page < PAGES; page++)
            count += shown(model, b, page);
    return count;
}

/* Often what continues a neighbour, so that extents grow together. */
static void set_somewhere(struct model *model, int b)
{
    size_t from = unit_random() % PAGES, to = from + 1 + unit_random() % (PAGES - from < 40 ? PAGES - from : 40);
    struct store *store = model->store[unit_random() % STORES];
    size_t number = unit_random() % STORE_PAGES;

    if (unit_random() % 2 == 0 && from > 0 && shown(model, b, from - 1)) {
        store = model->page[b][from - 1].store;
        number = model->page[b][from - 1].number + 1;
    } else if (unit_random() % 2 == 0 && shown(model, b, to) && model->page[b][to].number >= to - from) {
        store = model->page[b][to].store;
        number = model->page[b][to].number - (to - from);
    }
    set(model, b, from, to, store, number);
}

TEST(extent, sets_and_clears_agree_with_an_array_of_pages)
{
    struct model model;
    int rounds = UNIT_TSAN || UNIT_ASAN ? 1500 : 8000;

    begin(&model);
    store_take_unshown();
    for (int round = 0; round < rounds; round++) {
        int b = (int)(unit_random() % BLOCKS);

        if (unit_random() % 4 != 0) {
            set_somewhere(&model, b);
        } else {
            size_t from = unit_random() % PAGES, before = pages_shown(&model);

            store_take_unshown();
            clear(&model, b, from, from + 1 + unit_random() % (PAGES - from));
            /* the hint that makes reclaim look must not be too small */
            CHECK_AT(store_take_unshown() >= (before - pages_shown(&model)) * page_size, round);
        }
        check(&model);
    }
    for (int b = 0; b < BLOCKS; b++)
        clear(&model, b, 0, PAGES);
    check(&model);
    for (int i = 0; i < STORES; i++)
        store_release(model.store[i]);
    CHECK_EQ(stores_open(), 0);
}

TEST(extent, neighbours_that_continue_each_other_are_one)
{
    struct model model;

    begin(&model);
    set(&model, 0, 10, 20, model.store[0], 10);
    set(&model, 0, 30, 40, model.store[0], 30);
    CHECK_EQ(extent_count(), 2);
    set(&model, 0, 20, 30, model.store[0], 20); /* closes the gap */
    CHECK_EQ(extent_count(), 1);
    set(&model, 0, 15, 25, model.store[1], 15); /* tears it apart */
    CHECK_EQ(extent_count(), 3);
    set(&model, 0, 15, 25, model.store[0], 15);
    CHECK_EQ(extent_count(), 1);
    set(&model, 0, 40, 50, model.store[0], 41); /* one page off: no continuation */
    CHECK_EQ(extent_count(), 2);
    set(&model, 0, 50, 60, model.store[1], 51); /* another store */
    CHECK_EQ(extent_count(), 3);
    check(&model);
}

/* The only thing that shows a store is replaced by the same: the store must not be closed in between. */
TEST(extent, setting_what_is_there_keeps_the_store)
{
    struct model model;
    uint64_t bytes;

    begin(&model);
    set(&model, 0, 0, 50, model.store[0], 0);
    store_release(model.store[0]); /* held by its view alone */
    bytes = store_bytes();
    set(&model, 0, 0, 50, model.store[0], 0);
    set(&model, 0, 0, 50, model.store[0], 7);
    CHECK_EQ(stores_open(), STORES);
    CHECK_EQ(store_bytes(), bytes);
    clear(&model, 0, 0, 50);
    CHECK_EQ(stores_open(), STORES - 1);
    CHECK_EQ(store_bytes(), bytes - ((uint64_t)32 << 20));
}

/* Each extent in anonymous memory can cost two mappings: with the budget used up a quarter of the limit is the program's. */
TEST(extent, the_budget_leaves_the_program_a_quarter_of_its_mappings)
{
    struct extent_spares spares;
    struct store *store;
    struct block *block;
    uintptr_t start = (uintptr_t)1 << 40;
    size_t n = 0;

    unit_start("");
    if (map_limit() > 1000000)
        SKIP("vm.max_map_count is %zu", map_limit());
    block = block_add(start, map_limit() * 2 * page_size, NULL);
    store = new_store(STOREFILE_SMALL, (size_t)32 << 20);
    while (extent_budget_left(1)) {
        CHECK_EQ(extent_spares_take(&spares), 0);
        extent_set(block, start + 2 * n * page_size, start + (2 * n + 1) * page_size, store, store_start(store), &spares);
        extent_spares_give(&spares);
        n++;
        CHECK_AT(n <= map_limit(), n);
    }
    CHECK_EQ(extent_count(), n);
    CHECK(n >= 1000);
    CHECK(2 * n <= map_limit() / 4 * 3);
    CHECK_EQ(extent_spares_take(&spares), 0);
    extent_clear(block, start, start + page_size, &spares);
    extent_spares_give(&spares);
    CHECK(extent_budget_left(1));
    CHECK(!extent_budget_left(2));
}
