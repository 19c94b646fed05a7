/* SPDX-License-Identifier: MIT */
/* /proc/self/maps and smaps read as text tell what PROCMAP_QUERY tells, whatever stands in them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/page.h"
#include "kernel/vma_text.h"
#include "unit.h"

/* The mapping that contains the address, by reading all up to it; UNIT_FAIL if there is none. */
static struct vma find(const void *address, bool with_marks, unsigned *marks)
{
    struct vma_text text;
    struct vma vma;
    uintptr_t last = 0;

    CHECK_EQ(vma_text_begin(&text, with_marks), 0);
    do {
        CHECK_EQ(vma_text_next(&text, &vma, marks), 0);
        CHECK(vma.start >= last && vma.end > vma.start); /* in rising order, none twice */
        last = vma.end;
    } while (vma.end <= (uintptr_t)address);
    vma_text_end(&text);
    CHECK(vma.start <= (uintptr_t)address);
    return vma;
}

static int count_all(bool with_marks)
{
    struct vma_text text;
    struct vma vma;
    unsigned marks;
    int error, count = 0;

    CHECK_EQ(vma_text_begin(&text, with_marks), 0);
    while ((error = vma_text_next(&text, &vma, &marks)) == 0)
        count++;
    CHECK_EQ(error, -ENOENT);
    vma_text_end(&text);
    return count;
}

/* Three pages with nothing on either side. */
static char *map_alone(int protection, int flags, int fd, off_t offset)
{
    char *room = unit_map(5 * page_size);

    CHECK_EQ(munmap(room, 5 * page_size), 0);
    CHECK(mmap(room + page_size, 3 * page_size, protection, flags | MAP_FIXED, fd, offset) == room + page_size);
    return room + page_size;
}

static int make_file(void)
{
    int fd = memfd_create("unit", 0);

    CHECK(fd >= 0 && ftruncate(fd, (off_t)(16 * page_size)) == 0);
    return fd;
}

TEST(vma_text, tells_range_protection_and_file)
{
    int fd = make_file();
    struct stat status;
    struct vma vma;
    unsigned marks;
    char *memory;

    unit_start_base("");
    CHECK_EQ(fstat(fd, &status), 0);
    memory = map_alone(PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(5 * page_size));
    vma = find(memory + page_size, false, &marks);
    CHECK(vma.start == (uintptr_t)memory && vma.end == (uintptr_t)memory + 3 * page_size);
    CHECK(vma.readable && vma.writable && !vma.executable && vma.shared);
    CHECK_EQ(vma.offset, 5 * page_size);
    CHECK(vma.inode == status.st_ino && vma.device == status.st_dev);
    vma = find(map_alone(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), false, &marks);
    CHECK(!vma.readable && !vma.writable && !vma.executable && !vma.shared);
    CHECK_EQ(vma.inode, 0);
    vma = find(map_alone(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), false, &marks);
    CHECK(vma.readable && !vma.writable && vma.executable && !vma.shared);
}

TEST(vma_text, tells_the_same_as_the_query_of_every_mapping)
{
    struct vma_text text;
    struct vma vma, asked;
    unsigned marks;
    int count = 0;

    unit_start("");
    if (!vma_available())
        SKIP("no PROCMAP_QUERY: Linux before 6.11");
    vma_text_begin(&text, false);
    while (vma_text_next(&text, &vma, &marks) == 0) {
        if (vma_query(vma.start, &asked) != 0)
            continue; /* [vsyscall] */
        CHECK(asked.start == vma.start && asked.end == vma.end && asked.offset == vma.offset);
        CHECK(asked.readable == vma.readable && asked.writable == vma.writable);
        CHECK(asked.executable == vma.executable && asked.shared == vma.shared);
        CHECK(asked.inode == vma.inode && asked.device == vma.device);
        count++;
    }
    CHECK(count > 10);
}

TEST(vma_text, marks_say_what_the_program_asked_of_the_kernel)
{
    unsigned marks;
    char *locked, *kept, *plain;

    unit_start_base("");
    locked = map_alone(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    kept = map_alone(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    plain = map_alone(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(syscall(SYS_mlock, locked, 3 * page_size), 0); /* the sanitizers make nothing of mlock() */
    find(locked, true, &marks);
    CHECK_EQ(marks, VMA_LOCKED);
    find(plain, true, &marks);
    CHECK_EQ(marks, 0);
    for (int i = 0; i < 3; i++) {
        static const int advice[] = {MADV_DONTFORK, MADV_DONTDUMP, MADV_WIPEONFORK};

        CHECK_EQ(madvise(kept + (size_t)i * page_size, page_size, advice[i]), 0);
        find(kept + (size_t)i * page_size, true, &marks);
        CHECK_AT(marks == VMA_KEPT, i);
    }
    find(kept, false, &marks);
    CHECK_EQ(marks, 0); /* maps has none */
}

#define LIKE_A_LINE "1-2 rwxp "

/* A file whose path is longer than our buffer, and full of what looks like mappings, beginning at the shift. It and its directories are
   gone again; the kernel still tells the path. */
static int open_deep_file(size_t shift)
{
    enum { DEPTH = 10 };
    char top[] = "/tmp/cowshim-unit-XXXXXX", part[251];
    int fd, at[DEPTH + 1];

    CHECK(mkdtemp(top) != NULL);
    for (size_t i = 0; i < sizeof part - 1; i++)
        part[i] = LIKE_A_LINE[(i + shift) % (sizeof LIKE_A_LINE - 1)];
    part[sizeof part - 1] = '\0';
    at[0] = open(top, O_DIRECTORY | O_PATH);
    for (int i = 0; i < DEPTH; i++) {
        CHECK_EQ(mkdirat(at[i], part, 0700), 0);
        at[i + 1] = openat(at[i], part, O_DIRECTORY | O_PATH);
    }
    fd = openat(at[DEPTH], "file", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)(16 * page_size)) == 0);
    CHECK_EQ(unlinkat(at[DEPTH], "file", 0), 0);
    for (int i = DEPTH; i > 0; i--) {
        close(at[i]);
        CHECK_EQ(unlinkat(at[i - 1], part, AT_REMOVEDIR), 0);
    }
    close(at[0]);
    rmdir(top);
    return fd;
}

TEST(vma_text, a_line_longer_than_the_buffer_is_one_mapping)
{
    char *memory;
    int before;

    unit_start_base("");
    memory = map_alone(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    close(open_deep_file(0)); /* TSan maps what it notes of descriptors */
    before = count_all(false);
    for (size_t shift = 0; shift < sizeof LIKE_A_LINE - 1; shift++) {
        int fd = open_deep_file(shift);
        struct vma vma;
        unsigned marks;

        CHECK(mmap(memory, 3 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, (off_t)page_size) == memory);
        CHECK_EQ(count_all(false), before);
        CHECK_EQ(count_all(true), before);
        vma = find(memory, false, &marks);
        CHECK(vma.start == (uintptr_t)memory && vma.offset == page_size && vma.inode != 0);
        CHECK_EQ(madvise(memory, 3 * page_size, MADV_DONTFORK), 0);
        find(memory, true, &marks);
        CHECK_EQ(marks, VMA_KEPT);
        close(fd);
    }
}

TEST(vma_text, what_cannot_be_read_is_an_error_and_no_end)
{
    struct vma_text text;
    struct vma vma;
    unsigned marks;

    unit_start_base("");
    fault_at(1, true);
    CHECK_EQ(vma_text_begin(&text, true), -ENOMEM);
    CHECK_EQ(vma_text_begin(&text, false), 0);
    CHECK_EQ(vma_text_next(&text, &vma, &marks), -ENOMEM);
    fault_at(0, false);
    CHECK_EQ(vma_text_begin(&text, true), 0);
    fault_at(1, false);
    CHECK_EQ(vma_text_next(&text, &vma, &marks), -ENOMEM);
    fault_at(0, false);
    vma_text_end(&text);
}

static void walks_up(const char *internal)
{
    struct vma_walk walk;
    struct vma vma;
    char *memory;

    unit_start(internal);
    memory = map_alone(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_EQ(mprotect(memory + page_size, page_size, PROT_READ), 0);
    vma_walk_begin(&walk);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(vma_walk_at(&walk, (uintptr_t)memory + i * page_size + 100, &vma), 0);
        CHECK(vma.start == (uintptr_t)memory + i * page_size && vma.end == vma.start + page_size);
        CHECK(vma.readable && vma.writable == (i != 1));
    }
    CHECK_EQ(vma_walk_at(&walk, (uintptr_t)memory + 3 * page_size, &vma), -ENOENT);
    CHECK_EQ(vma_walk_at(&walk, (uintptr_t)memory + 4 * page_size - 1, &vma), -ENOENT);
    fault_at(1, true);
    vma_walk_begin(&walk);
    CHECK_EQ(vma_walk_at(&walk, (uintptr_t)memory, &vma), -ENOMEM);
    fault_at(0, false);
}

TEST(vma_text, a_walk_goes_from_mapping_to_mapping_and_knows_the_gaps)
{
    walks_up("");
}

TEST(vma_text, a_walk_does_so_by_reading_maps)
{
    walks_up("vma-off");
}
