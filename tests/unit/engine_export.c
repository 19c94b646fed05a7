/* SPDX-License-Identifier: MIT */
/* The exported page: what other processes see, who may write it, and whose numbers are whose after a fork. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/report/export_page.h"
#include "engine_unit.h"
#include "base/fault.h"
#include "base/sys.h"

#define FILE_SIZE (EXPORT_BLOCKS_OFFSET + EXPORT_SLOTS * sizeof(struct export_block))

/* As another process finds it: an open descriptor, or -1. */
static int open_page(int flags)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    int fd = -1;

    while (fd < 0 && (entry = readdir(folder)) != NULL) {
        char link[64] = "";

        if (readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1) > 0 && strstr(link, "memfd:" EXPORT_NAME " ") != NULL)
            fd = openat(dirfd(folder), entry->d_name, flags | O_CLOEXEC);
    }
    closedir(folder);
    return fd;
}

static const struct export_page *map_page(void)
{
    int fd = open_page(O_RDONLY);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, fd, 0);

    if (page == MAP_FAILED)
        UNIT_FAIL("there is no exported page");
    close(fd);
    return page;
}

static const struct export_block *slots_of(const struct export_page *page)
{
    return (const struct export_block *)(const void *)((const char *)page + page->header.blocks_offset);
}

static const struct export_block *slot_of(const struct export_page *page, const void *start)
{
    for (unsigned i = 0; i < page->header.blocks_end; i++)
        if (slots_of(page)[i].address == (uintptr_t)start)
            return &slots_of(page)[i];
    return NULL;
}

static uint64_t number_of(const struct export_page *page, const char *name)
{
    const struct count *counts = (const struct count *)(const void *)((const char *)page + page->header.counts_offset);

    for (unsigned i = 0; i < page->header.counters + page->header.reasons; i++)
        if (strcmp(counts[i].name, name) == 0)
            return counts[i].number;
    UNIT_FAIL("nothing is called %s", name);
}

TEST(export, others_see_blocks_copies_and_counters)
{
    const struct export_page *page;
    const struct export_block *slot;
    char *a, *b;

    unit_start("");
    a = sealed_block(64, 1, &b);
    page = map_page();
    CHECK_EQ(page->header.magic, EXPORT_MAGIC);
    CHECK_EQ(page->header.process, getpid());
    CHECK_EQ(number_of(page, "copies_shared"), 1);
    CHECK_EQ(number_of(page, "blocks_added"), 2);
    slot = slot_of(page, b);
    CHECK(slot != NULL && slot->size == 64 * page_size);
    CHECK_EQ(slot->copied_from, (uintptr_t)a);
    engine_memory_call(b, 64 * page_size, MEMORY_EXCLUDE);
    CHECK_EQ(slot->flags, EXPORT_EXCLUDED);
    CHECK(!unit_copy(b, a, 64 * page_size));
    CHECK_EQ(number_of(page, "excluded"), 1);
    engine_set_size(a, 63 * page_size);
    CHECK_EQ(slot_of(page, a)->size, 63 * page_size);
    unit_remove(a);
    CHECK(slot_of(page, a) == NULL);
    CHECK(slot_of(page, b) != NULL);
}

TEST(export, nobody_else_can_write_it_or_take_its_memory)
{
    int fd;

    unit_start("");
    fd = open_page(O_RDWR);
    CHECK(fd >= 0);
    CHECK(pwrite(fd, "x", 1, 0) < 0 && errno == EPERM);
    CHECK(mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM);
    CHECK(ftruncate(fd, 0) < 0 && errno == EPERM);
    CHECK(ftruncate(fd, 2 * FILE_SIZE) < 0 && errno == EPERM);
    CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)page_size) < 0 && errno == EPERM);
}

struct family {
    char *a, *b;
    bool announced;
};

static int child_counts(void *argument)
{
    struct family *family = argument;
    const struct export_page *page;
    char *c;

    if (family->announced)
        engine_fork_child();
    c = unit_block(64);
    if (!unit_copy(c, family->b, 64 * page_size) || !unit_copy(c, family->a, 64 * page_size))
        return 1;
    page = map_page();
    if (page->header.process != getpid() || number_of(page, "copies_shared") != 2)
        return 2;
    if (slot_of(page, family->a) == NULL || slot_of(page, family->b) == NULL || slot_of(page, c) == NULL)
        return 3;
    unit_remove(family->a);
    return slot_of(page, family->a) == NULL ? 0 : 4;
}

static void check_family(bool announced)
{
    struct family family = {.announced = announced};
    const struct export_page *page;

    unit_start("");
    family.a = sealed_block(64, 1, &family.b);
    page = map_page();
    if (announced)
        engine_fork_prepare();
    CHECK_EQ(unit_child(child_counts, &family), 0);
    if (announced)
        engine_fork_parent();
    CHECK_EQ(page->header.process, getpid());
    CHECK_EQ(number_of(page, "copies_shared"), 1);
    CHECK_EQ(number_of(page, "blocks_added"), 2);
    CHECK(slot_of(page, family.a) != NULL);
    CHECK(unit_copy(family.b, family.a, 64 * page_size));
    CHECK_EQ(number_of(page, "copies_shared"), 2);
}

TEST(export, a_child_has_its_own_numbers_and_the_blocks_that_it_inherited)
{
    check_family(true);
}

TEST(export, a_child_that_nobody_announced_leaves_its_parent_s_page_alone)
{
    check_family(false);
}

TEST(export, a_slot_is_used_again_and_blocks_beyond_the_last_are_only_counted)
{
    const unsigned beyond = 3;
    const struct export_page *page;
    char *start;

    unit_start("");
    page = map_page();
    start = unit_map((EXPORT_SLOTS + beyond) * 2 * page_size);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < EXPORT_SLOTS + beyond; i++)
            CHECK(engine_add(start + i * 2 * page_size, 2 * page_size, start));
        CHECK_EQ(page->header.blocks_end, EXPORT_SLOTS);
        CHECK_EQ(page->header.unlisted, beyond);
        CHECK(slot_of(page, start) == &slots_of(page)[0]);
        CHECK(slot_of(page, start + 2 * page_size * (EXPORT_SLOTS - 1)) == &slots_of(page)[EXPORT_SLOTS - 1]);
        CHECK(slot_of(page, start + 2 * page_size * EXPORT_SLOTS) == NULL);
        for (unsigned i = 0; i < EXPORT_SLOTS + beyond; i++) {
            void *raw;

            CHECK(engine_remove(start + i * 2 * page_size, &raw));
        }
        CHECK_EQ(page->header.unlisted, 0);
        CHECK(slot_of(page, start) == NULL);
    }
}

/* The record of a block may be what there is no memory for: then it is none. */
static int child_fails_at(void *argument)
{
    char *a = unit_map(64 * page_size);
    char *b = unit_map(64 * page_size);

    engine_fork_child(); /* begins anew, with its own page to open */
    fault_at(*(unsigned long *)argument, false);
    engine_add(a, 64 * page_size, a);
    engine_add(b, 64 * page_size, b);
    unit_fill(a, 64 * page_size, 1);
    if (!unit_copy(b, a, 64 * page_size))
        memcpy(b, a, 64 * page_size);
    return unit_holds(a, 64 * page_size, 1) && unit_holds(b, 64 * page_size, 1) ? 0 : 1;
}

TEST(export, whatever_fails_while_it_is_opened_costs_only_the_page)
{
    unit_start("");
    for (unsigned long n = 1; n <= 12; n++) {
        engine_fork_prepare();
        CHECK_EQ(unit_child(child_fails_at, &n), 0);
        engine_fork_parent();
    }
}
