/* SPDX-License-Identifier: MIT */
#include "engine/store/file.h"

#include <errno.h>

#include "base/arena.h"

#include "base/poison.h"

/* No more files than this are opened because an old one does not serve any more. */
#define FILES 8
/* After so many free ranges that are too short the file grows instead. */
#define TRIES 64

/* No file is longer. */
#define LONGEST (UINT64_C(1) << 62)

static struct pool files = POOL_INITIALIZER(struct store_file);
static struct pool ranges = POOL_INITIALIZER(struct file_range);
static struct store_file *all;
static unsigned file_count;
static struct store_file *current[STOREFILE_KINDS];

static struct file_range *range_of(struct tree_node *node)
{
    return node == NULL ? NULL : tree_entry(node, struct file_range, by_offset);
}

static void drop_range(struct store_file *file, struct file_range *range)
{
    tree_remove(&file->free, &range->by_offset);
    pool_give(&ranges, range);
}

static void close_file(struct store_file *file)
{
    struct store_file **at = &all;

    while (*at != file)
        at = &(*at)->next;
    *at = file->next;
    file_count--;
    while (file->free.root != NULL)
        drop_range(file, range_of(file->free.root));
    descriptor_drop(&file->descriptor);
    witness_end(&file->witness);
    pool_give(&files, file);
}

static void close_if_empty(struct store_file *file)
{
    if (file->count == 0 && current[file->kind] != file)
        close_file(file);
}

/* What a child found empty. */
static void close_all_empty(void)
{
    struct store_file *next;

    for (struct store_file *file = all; file != NULL; file = next) {
        next = file->next;
        close_if_empty(file);
    }
}

static int open_file(enum storefile_kind kind)
{
    struct store_file *file;
    int error;

    close_all_empty();
    file = pool_take(&files);
    if (file == NULL)
        return -ENOMEM;
    file->kind = kind;
    file->own = true;
    file->descriptor.fd = -1;
    error = witness_begin(&file->witness);
    if (error == 0)
        error = storefile_open(kind, &file->descriptor);
    if (error != 0) {
        witness_end(&file->witness);
        pool_give(&files, file);
        return error;
    }
    file->next = all;
    all = file;
    file_count++;
    current[kind] = file;
    return 0;
}

bool file_serves(struct store_file *file)
{
    return file == current[file->kind] && descriptor_use(&file->descriptor) >= 0;
}

bool file_retire(struct store_file *file)
{
    if (file == current[file->kind]) {
        if (file->count == 0 || file_count >= FILES)
            return false;
        current[file->kind] = NULL;
    }
    return true;
}

bool file_end_if_idle(struct store_file *file)
{
    if (file->idle != file->count)
        return false;
    if (file == current[file->kind])
        current[file->kind] = NULL;
    return true;
}

static int find_current(enum storefile_kind kind)
{
    struct store_file *lost = current[kind];

    if (lost != NULL && file_serves(lost))
        return 0;
    current[kind] = NULL;
    if (lost != NULL)
        close_if_empty(lost);
    return open_file(kind);
}

/* First fit; the beginning of the range. */
static bool take_free(struct store_file *file, size_t size, uint64_t *offset)
{
    struct tree_node *node = tree_first(&file->free);

    for (int i = 0; node != NULL && i < TRIES; i++, node = tree_next(node)) {
        struct file_range *range = range_of(node);

        if (range->size < size)
            continue;
        *offset = node->key;
        tree_remove(&file->free, node);
        node->key += size;
        range->size -= size;
        if (range->size > 0)
            tree_insert(&file->free, node);
        else
            pool_give(&ranges, range);
        return true;
    }
    return false;
}

int file_take(enum storefile_kind kind, size_t size, struct store_file **file, uint64_t *offset)
{
    int error = find_current(kind);

    if (error != 0)
        return error;
    *file = current[kind];
    if (!take_free(*file, size, offset)) {
        *offset = (*file)->end;
        (*file)->end += size;
    }
    return 0;
}

int file_reach(struct store_file *file, uint64_t end)
{
    int error = end <= file->length ? 0 : storefile_extend(descriptor_use(&file->descriptor), end);

    if (error == 0 && end > file->length)
        file->length = end;
    return error;
}

/* Without memory for the record the range is lost, which is address space. */
void file_give(struct store_file *file, uint64_t offset, uint64_t size)
{
    struct file_range *before = range_of(tree_at_or_below(&file->free, offset));
    struct file_range *behind = range_of(tree_at_or_above(&file->free, offset));
    struct file_range *made;

    if (before != NULL && before->by_offset.key + before->size == offset) {
        offset = before->by_offset.key;
        size += before->size;
        drop_range(file, before);
    }
    if (behind != NULL && behind->by_offset.key == offset + size) {
        size += behind->size;
        drop_range(file, behind);
    }
    if (offset + size == file->end) {
        file->end = offset;
        return;
    }
    made = pool_take(&ranges);
    if (made == NULL)
        return;
    made->by_offset.key = offset;
    made->size = size;
    tree_insert(&file->free, &made->by_offset);
}

void file_add(struct store_file *file, struct file_range *store)
{
    file->count++;
    tree_insert(&file->stores, &store->by_offset);
}

void file_let_go(struct store_file *file)
{
    file->count--;
    close_if_empty(file);
}

void file_remove(struct store_file *file, struct file_range *store)
{
    tree_remove(&file->stores, &store->by_offset);
    file_let_go(file);
}

void file_after_fork(void)
{
    for (int kind = 0; kind < STOREFILE_KINDS; kind++)
        current[kind] = NULL;
    for (struct store_file *file = all; file != NULL; file = file->next) {
        file->own = false;
        if (file->count == 0) { /* the parent must not wait for us; the record goes when another is opened */
            descriptor_drop(&file->descriptor);
            witness_end(&file->witness);
        }
    }
}

struct store_file *file_left_to_us(void)
{
    struct store_file *file = all;

    while (file != NULL && (file->own || file->count == 0 || witness_ask(&file->witness) != WITNESS_ALONE))
        file = file->next;
    if (file != NULL) {
        file->own = true;
        file->count++;
    }
    return file;
}

bool file_foreign(void)
{
    struct store_file *file = all;

    while (file != NULL && (file->own || file->count == 0))
        file = file->next;
    return file != NULL;
}

bool file_gap(const struct store_file *file, uint64_t *start, uint64_t *end)
{
    const struct file_range *store = range_of(tree_at_or_below(&file->stores, *start));

    while (store != NULL && store->by_offset.key + store->size > *start) {
        *start = store->by_offset.key + store->size;
        store = range_of(tree_at_or_below(&file->stores, *start));
    }
    store = range_of(tree_at_or_above(&file->stores, *start));
    *end = store == NULL ? LONGEST : store->by_offset.key;
    return *start < *end;
}

struct store_file *file_after(struct store_file *file)
{
    return file == NULL ? all : file->next;
}
