/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/page.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"
#include "kernel/storefile.h"
#include "unit.h"

#define SIZE ((size_t)3 << 20)

static int open_kind(enum storefile_kind kind, struct descriptor *file)
{
    CHECK_EQ(storefile_open(kind, file), 0);
    return descriptor_use(file);
}

static void write_read_and_punch(enum storefile_kind kind)
{
    struct descriptor file = DESCRIPTOR_NONE;
    int fd = open_kind(kind, &file);
    char *from = unit_map(SIZE), *to = unit_map(SIZE);
    uint64_t full = 0, rest = 0;

    unit_fill(from, SIZE, 1);
    CHECK_EQ(storefile_extend(fd, 2 * HUGE_SIZE + SIZE), 0);
    CHECK_EQ(storefile_write(fd, (uintptr_t)from, SIZE, HUGE_SIZE), 0);
    CHECK_EQ(pread(fd, to, SIZE, HUGE_SIZE), SIZE);
    CHECK(unit_holds(to, SIZE, 1));
    CHECK_EQ(storefile_allocated(fd, &full), 0);
    CHECK(full >= SIZE && full <= SIZE + HUGE_SIZE);
    CHECK_EQ(storefile_punch(fd, HUGE_SIZE, HUGE_SIZE), 0);
    CHECK_EQ(storefile_allocated(fd, &rest), 0);
    CHECK_EQ(full - rest, HUGE_SIZE);
    CHECK_EQ(pread(fd, to, SIZE, HUGE_SIZE), SIZE);
    CHECK(unit_all(to, HUGE_SIZE, 0));
    CHECK(memcmp(to + HUGE_SIZE, from + HUGE_SIZE, SIZE - HUGE_SIZE) == 0);
    CHECK_EQ(pread(fd, to, page_size, 2 * HUGE_SIZE + SIZE), 0); /* it ends there */
    CHECK_EQ(map_file((uintptr_t)from, HUGE_SIZE, fd, 2 * HUGE_SIZE), 0);
    descriptor_drop(&file);
    from[0] ^= 1; /* the mapping outlives the descriptor */
}

TEST(storefile, small_stores_hold_what_was_written)
{
    unit_start("");
    write_read_and_punch(STOREFILE_SMALL);
}

TEST(storefile, huge_stores_hold_what_was_written)
{
    unit_start("");
    if (!storefile_huge_available())
        SKIP("no private tmpfs with huge pages here");
    write_read_and_punch(STOREFILE_HUGE);
}

TEST(storefile, the_huge_probe_is_made_once_and_leaves_no_child)
{
    bool first;
    int status;
    unsigned count;

    unit_start("");
    first = storefile_huge_available();
    count = descriptor_count();
    for (int i = 0; i < 100; i++)
        CHECK_EQ(storefile_huge_available(), first);
    CHECK_EQ(descriptor_count(), count);
    errno = 0;
    CHECK_EQ(waitpid(-1, &status, __WALL), -1);
    CHECK_EQ(errno, ECHILD);
}

TEST(storefile, the_mount_is_not_in_the_programs_namespace)
{
    char line[1024];
    FILE *before, *after;
    int lines = 0;

    unit_start("");
    before = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof line, before) != NULL)
        lines++;
    fclose(before);
    storefile_huge_available();
    after = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof line, after) != NULL)
        lines--;
    fclose(after);
    CHECK_EQ(lines, 0);
}

/* A kernel that calls what a huge entry maps private would have us give back what is shown: no such store there. */
TEST(storefile, a_page_of_a_huge_store_that_was_read_is_not_private)
{
    struct descriptor file = DESCRIPTOR_NONE;
    char *memory;

    unit_start("scan-off");
    if (!storefile_huge_available())
        SKIP("no huge store here");
    memory = unit_map(HUGE_SIZE);
    memset(memory, 1, HUGE_SIZE);
    CHECK_EQ(storefile_open(STOREFILE_HUGE, &file), 0);
    CHECK_EQ(storefile_extend(descriptor_use(&file), HUGE_SIZE), 0);
    CHECK_EQ(storefile_write(descriptor_use(&file), (uintptr_t)memory, HUGE_SIZE, 0), 0);
    CHECK_EQ(map_file((uintptr_t)memory, HUGE_SIZE, descriptor_use(&file), 0), 0);
    CHECK_EQ(memory[0], 1);
    CHECK_EQ(pagemap_any(PAGES_PRIVATE, (uintptr_t)memory, (uintptr_t)memory + HUGE_SIZE), 0);
    memory[HUGE_SIZE / 2] = 2;
    CHECK_EQ(pagemap_any(PAGES_PRIVATE, (uintptr_t)memory, (uintptr_t)memory + HUGE_SIZE), 1);
}

TEST(storefile, where_huge_pages_are_not_named_there_is_no_huge_store)
{
    unit_start("scan-off,huge-unnamed");
    CHECK(!storefile_huge_available());
}

TEST(storefile, huge_stores_can_be_turned_off)
{
    struct descriptor file = DESCRIPTOR_NONE;

    setenv("COWSHIM_HUGE", "off", 1);
    unit_start("");
    CHECK(!storefile_huge_available());
    CHECK(storefile_open(STOREFILE_HUGE, &file) < 0);
}

TEST(storefile, features_can_be_refused_one_by_one)
{
    struct descriptor file = DESCRIPTOR_NONE;

    unit_start("memfd-off,tmpfs-off");
    CHECK(!storefile_huge_available());
    CHECK_EQ(storefile_open(STOREFILE_SMALL, &file), -ENOSYS);
    CHECK_EQ(file.fd, -1);
}

TEST(storefile, a_file_size_limit_is_an_error_and_no_signal)
{
    struct descriptor file = DESCRIPTOR_NONE;
    struct rlimit limit = {1 << 20, RLIM_INFINITY};
    char *from;
    int fd;

    unit_start("");
    fd = open_kind(STOREFILE_SMALL, &file);
    from = unit_map(SIZE);
    CHECK_EQ(storefile_extend(fd, SIZE), 0);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_EQ(storefile_extend(fd, SIZE + 1), -EFBIG); /* SIGXFSZ would end this test */
    CHECK_EQ(storefile_write(fd, (uintptr_t)from, page_size, limit.rlim_cur), -EFBIG);
    CHECK_EQ(storefile_write(fd, (uintptr_t)from, 2 * page_size, limit.rlim_cur - page_size), -EFBIG);
    CHECK_EQ(storefile_write(fd, (uintptr_t)from, page_size, limit.rlim_cur - page_size), 0);
}

TEST(storefile, what_is_mapped_cannot_be_cut_off)
{
    struct descriptor file = DESCRIPTOR_NONE;
    int fd;

    unit_start("");
    fd = open_kind(STOREFILE_SMALL, &file);
    CHECK_EQ(storefile_extend(fd, SIZE), 0);
    CHECK_EQ(ftruncate(fd, 0), -1);
    CHECK_EQ(errno, EPERM);
}

TEST(storefile, writing_from_unmapped_memory_is_an_error)
{
    struct descriptor file = DESCRIPTOR_NONE;
    char *from;
    int fd;

    unit_start("");
    fd = open_kind(STOREFILE_SMALL, &file);
    from = unit_map(SIZE);
    munmap(from + page_size, page_size);
    CHECK_EQ(storefile_extend(fd, SIZE), 0);
    CHECK_EQ(storefile_write(fd, (uintptr_t)from, 2 * page_size, 0), -EFAULT);
}
