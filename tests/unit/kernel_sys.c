/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/page.h"
#include "kernel/coredump.h"
#include "kernel/map.h"
#include "kernel/pagemap.h"
#include "kernel/status.h"
#include "base/fault.h"
#include "base/sys.h"
#include "kernel/vma.h"
#include "kernel/witness.h"
#include "unit.h"

TEST(sys, returns_minus_errno_and_leaves_errno_alone)
{
    errno = 5;
    CHECK_EQ(SYS(SYS_close, -1), -EBADF);
    CHECK_EQ(SYS_MUST(SYS_close, -1), -EBADF);
    CHECK_EQ(errno, 5);
    CHECK_EQ(sys_process(), getpid());
}

TEST(sys, the_nth_call_from_now_fails_without_being_executed)
{
    int pair[2];
    char byte;

    CHECK_EQ(pipe(pair), 0);
    fault_at(2, false);
    CHECK_EQ(SYS(SYS_write, pair[1], "a", 1), 1);
    CHECK_EQ(SYS_MUST(SYS_getpid), getpid()); /* not counted */
    CHECK_EQ(SYS(SYS_write, pair[1], "b", 1), -ENOMEM);
    CHECK_EQ(SYS(SYS_write, pair[1], "c", 1), 1);
    CHECK_EQ(read(pair[0], &byte, 1), 1);
    CHECK_EQ(byte, 'a');
    CHECK_EQ(read(pair[0], &byte, 1), 1);
    CHECK_EQ(byte, 'c');
}

TEST(sys, a_sticky_fault_stays_until_it_is_taken_back)
{
    unsigned long before = sys_count();

    fault_at(3, true);
    CHECK(SYS(SYS_getpid) > 0);
    CHECK(SYS(SYS_getpid) > 0);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(SYS(SYS_getpid), -ENOMEM);
    CHECK(SYS_MUST(SYS_getpid) > 0);
    fault_at(0, false);
    CHECK(SYS(SYS_getpid) > 0);
    CHECK_EQ(sys_count() - before, 8);
}

TEST(sys, the_environment_sets_the_fault)
{
    unit_start_base("fail=2");
    fault_init();
    CHECK(SYS(SYS_getpid) > 0);
    CHECK_EQ(SYS(SYS_getpid), -ENOMEM);
    CHECK(SYS(SYS_getpid) > 0);
}

TEST(sys, a_small_file_is_read_whole_and_terminated)
{
    char text[4096], cut[8];

    CHECK(sys_read_file("/proc/self/stat", text, sizeof text) > 20);
    CHECK_EQ(sys_read_file("/proc/self/stat", cut, sizeof cut), 7);
    CHECK_EQ(cut[7], '\0');
    CHECK_EQ(sys_read_file("/no/such/file", text, sizeof text), -ENOENT);
    CHECK_EQ(sys_read_number("/no/such/file", 12), 12);
    CHECK_EQ(sys_read_number("/proc/self/comm", 12), 12);
    CHECK(map_limit() > 1000);
}

TEST(map, zero_and_file_and_discard_change_what_is_read)
{
    char *memory;
    int fd = memfd_create("unit", 0);

    unit_start("");
    memory = unit_map(16 * page_size);
    unit_fill(memory, 16 * page_size, 1);
    CHECK_EQ(pwrite(fd, memory + page_size, page_size, 0), (ssize_t)page_size);
    CHECK_EQ(map_file((uintptr_t)memory, page_size, fd, 0), 0);
    CHECK(memcmp(memory, memory + page_size, page_size) == 0);
    memory[0] ^= 1; /* writable, and private */
    CHECK_EQ(map_file((uintptr_t)memory + 2 * page_size, page_size, fd, 0), 0);
    CHECK(memory[0] != memory[2 * page_size]);
    CHECK_EQ(map_zero((uintptr_t)memory, page_size, true), 0);
    CHECK(unit_all(memory, page_size, 0));
    CHECK_EQ(map_discard((uintptr_t)memory + 4 * page_size, page_size), 0);
    CHECK(unit_all(memory + 4 * page_size, page_size, 0));
    CHECK(!unit_all(memory + 3 * page_size, page_size, 0));
    CHECK_EQ(map_populate_read((uintptr_t)memory, 16 * page_size), 0);
}

/* A filled range, and an empty one of the same size. */
static char *map_pair(size_t size, char **empty)
{
    char *filled = unit_map(size);

    *empty = unit_map(size);
    unit_fill(filled, size, 2);
    return filled;
}

TEST(map, move_takes_pages_along_and_leaves_the_source_empty)
{
    char *from, *to;
    size_t size;

    unit_start("");
    size = 64 * page_size;
    from = map_pair(size, &to);
    CHECK_EQ(map_move((uintptr_t)from, (uintptr_t)to, size), 0);
    CHECK(unit_holds(to, size, 2));
    CHECK_EQ(pagemap_any(PAGES_TOUCHED, (uintptr_t)from, (uintptr_t)from + size), 0);
    CHECK(unit_all(from, size, 0)); /* still mapped */
    from[0] = 1;
}

static bool is_mapped(const char *page)
{
    unsigned char resident;

    return mincore((void *)(uintptr_t)page, 1, &resident) == 0;
}

TEST(map, a_move_that_fails_leaves_the_target_mapped)
{
    char *from, *to;
    size_t size;

    unit_start("");
    size = 64 * page_size;
    from = map_pair(size, &to);
    munmap(from + size / 2, size / 2);
    if (map_move((uintptr_t)from, (uintptr_t)to, size) == 0)
        SKIP("this kernel moves ranges with gaps");
    for (size_t i = 0; i < size; i += page_size)
        CHECK_AT(is_mapped(to + i), i);
    CHECK(unit_holds(from, size / 2, 2));
}

/* mremap() unmaps the target before it looks whether there are mappings left: then nothing of the target would be there. */
TEST(map, a_move_that_fails_for_want_of_mappings_leaves_the_target_mapped)
{
    char *from, *to, *many;
    size_t size, room;
    int error;

    if (UNIT_TSAN || UNIT_ASAN)
        SKIP("a sanitizer needs mappings of its own");
    unit_start("");
    size = 64 * page_size;
    from = unit_map(size);
    to = unit_map(3 * size) + size; /* a mapping of its own, so that unmapping it needs no other one */
    mprotect(to - page_size, page_size, PROT_NONE);
    mprotect(to + size, page_size, PROT_NONE);
    unit_fill(from, size, 2);
    room = 2 * map_limit() * page_size;
    many = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (size_t i = 0; i < room; i += 2 * page_size)
        if (mprotect(many + i, page_size, PROT_READ) != 0)
            break;
    error = map_move((uintptr_t)from, (uintptr_t)to, size);
    munmap(many, room);
    if (error == 0)
        SKIP("the kernel found a mapping for it");
    CHECK(is_mapped(to));
    CHECK(is_mapped(from));
    CHECK(unit_holds(from, size, 2));
}

TEST(vma, tells_range_protection_and_file)
{
    struct vma vma;
    int fd = memfd_create("unit", 0);
    char *memory, *file;

    unit_start("");
    if (!vma_available())
        SKIP("no PROCMAP_QUERY: Linux before 6.11");
    memory = unit_map(8 * page_size);
    CHECK_EQ(mprotect(memory + 2 * page_size, page_size, PROT_READ), 0);
    CHECK_EQ(vma_query((uintptr_t)memory + 2 * page_size + 17, &vma), 0);
    CHECK_EQ(vma.start, (uintptr_t)memory + 2 * page_size);
    CHECK_EQ(vma.end, vma.start + page_size);
    CHECK(vma.readable && !vma.writable && !vma.shared);
    CHECK_EQ(vma.inode, 0);
    CHECK_EQ(ftruncate(fd, 8 * (off_t)page_size), 0);
    file = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 3 * (off_t)page_size);
    CHECK_EQ(vma_query((uintptr_t)file, &vma), 0);
    CHECK(vma.writable && vma.shared && vma.inode != 0);
    CHECK_EQ(vma.offset, 3 * page_size);
    munmap(memory + 4 * page_size, page_size);
    CHECK_EQ(vma_query((uintptr_t)memory + 4 * page_size, &vma), -ENOENT);
}

TEST(vma, is_off_on_an_old_kernel)
{
    struct vma vma;

    unit_start("vma-off");
    CHECK(!vma_available());
    CHECK_EQ(vma_query((uintptr_t)&vma, &vma), -ENOSYS);
}

static void *wait_for_byte(void *argument)
{
    char byte;

    return read(*(int *)argument, &byte, 1) == 1 ? argument : NULL;
}

TEST(status, counts_threads)
{
    struct status before, with, after;
    pthread_t threads[3];
    int pair[2];

    unit_start("");
    unit_alone();
    CHECK_EQ(pipe(pair), 0);
    CHECK_EQ(status_read(&before), 0);
    if (!UNIT_TSAN)
        CHECK_EQ(before.threads, 1);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, wait_for_byte, &pair[0]);
    CHECK_EQ(status_read(&with), 0);
    CHECK(with.threads >= before.threads + 3);
    CHECK_EQ(write(pair[1], "abc", 3), 3);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    /* a joined thread may be seen for a moment yet */
    for (int i = 0; i < 1000 && (status_read(&after) != 0 || after.threads >= with.threads); i++)
        usleep(1000);
    CHECK(after.threads < with.threads);
    CHECK(!after.pinned);
}

/* The list of groups stands before the fields of ours. */
TEST(status, is_read_behind_a_long_list_of_groups)
{
    gid_t groups[1000];
    struct status few, many;

    unit_start("");
    unit_alone();
    for (unsigned i = 0; i < 1000; i++)
        groups[i] = 4000000000u + i;
    CHECK_EQ(status_read(&few), 0);
    if (setgroups(1000, groups) != 0)
        SKIP("setgroups: error %d", errno);
    CHECK_EQ(status_read(&many), 0);
    CHECK_EQ(many.threads, few.threads);
    CHECK_EQ(many.locked, few.locked);
    fault_at(3, false); /* that there is more than one read after the opening */
    CHECK_EQ(status_read(&many), -ENOMEM);
}

/* io_uring's parameters, 120 bytes; none of them matters here. */
static long ring_with_buffer(struct iovec *buffer)
{
    uint32_t parameters[30] = {0};
    long ring = syscall(425, 1, parameters);

    if (ring < 0)
        return -errno;
    return syscall(427, ring, 0, buffer, 1) == 0 ? ring : -errno;
}

TEST(status, sees_pages_that_io_uring_pinned)
{
    struct status status;
    struct iovec buffer;
    long ring;

    unit_start("");
    buffer.iov_len = 64 * page_size;
    buffer.iov_base = unit_map(buffer.iov_len);
    unit_fill(buffer.iov_base, buffer.iov_len, 3);
    CHECK_EQ(status_read(&status), 0);
    CHECK(!status.pinned);
    ring = ring_with_buffer(&buffer);
    if (ring < 0)
        SKIP("io_uring: error %ld", -ring);
    CHECK_EQ(status_read(&status), 0);
    CHECK(status.pinned);
    close((int)ring);
}

static unsigned long coredump_filter(void)
{
    FILE *file = fopen("/proc/self/coredump_filter", "r");
    unsigned long filter;

    CHECK(file != NULL && fscanf(file, "%lx", &filter) == 1);
    fclose(file);
    return filter;
}

/* KSM would make one of two equal ones, and two of it again. */
TEST(witness, is_like_no_other_page)
{
    struct witness one, other;

    CHECK_EQ(witness_begin(&one), 0);
    CHECK_EQ(witness_begin(&other), 0);
    CHECK(memcmp((const void *)one.page, (const void *)other.page, page_size) != 0);
    CHECK_EQ(witness_ask(&one), WITNESS_ALONE);
    witness_end(&one);
    witness_end(&other);
}

TEST(coredump, asks_for_private_files_and_changes_no_other_bit)
{
    unsigned long before;

    unit_start_base("");
    before = coredump_filter();
    fault_at(1, false);
    unit_capture_begin();
    coredump_include_files();
    CHECK(strstr(unit_capture_end(), "core dumps lack shared pages") != NULL);
    CHECK_EQ(coredump_filter(), before);
    coredump_include_files();
    CHECK_EQ(coredump_filter(), before | 4);
}
