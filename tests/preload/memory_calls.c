/* SPDX-License-Identifier: MIT */
/* Memory calls on parts of an array that was copied, and on parts of the copy: prints what each call returns and what the memory
   holds afterwards. same.sh compares what is printed natively and under the shim. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "same.h"

/* What the kernel lets us do with pages, page by page: read (r), write (w), nothing (-). A write puts back what was read. */
static void access_of(const char *name, unsigned char *memory, size_t from, size_t to)
{
    char line[PAGES * 2 + 1];
    size_t used = 0;
    int ends[2];

    if (pipe(ends) != 0)
        exit(99);
    for (size_t at = from; at < to; at += PAGE) {
        char letter = '-';

        if (write(ends[1], memory + at, 1) == 1) {
            letter = read(ends[0], memory + at, 1) == 1 ? 'w' : 'r';
            if (letter == 'r' && read(ends[0], line + used, 1) != 1)
                exit(99);
        }
        line[used++] = letter;
    }
    line[used] = '\0';
    printf("  %s may be accessed: %s\n", name, line);
    close(ends[0]);
    close(ends[1]);
}

static void executable(const unsigned char *memory, size_t size)
{
    uintptr_t start = (uintptr_t)memory, end = start + size;
    size_t bytes = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        char how[8];

        if (sscanf(line, "%lx-%lx %7s", &from, &to, how) == 3 && how[2] == 'x' && from < end && to > start)
            bytes += (to < end ? to : end) - (from > start ? from : start);
    }
    if (maps != NULL)
        fclose(maps);
    printf("  executable: %zu pages\n", bytes / PAGE);
}

static void resident(const char *name, unsigned char *memory, size_t from, size_t to)
{
    unsigned char there[PAGES];
    int missing = 0;

    if (mincore(memory + from, to - from, there) != 0)
        exit(99);
    for (size_t i = 0; i < (to - from) / PAGE; i++)
        missing += (there[i] & 1) == 0;
    printf("  %s: %d pages missing\n", name, missing);
}

/* In a child: what it sees, which some advice is about. */
static void show_child(unsigned char *memory, size_t from, size_t to)
{
    fflush(stdout);
    if (fork() == 0) {
        printf("  in a child:\n");
        access_of("pages", memory, from, to);
        for (size_t at = from; at < to; at += 8 * PAGE)
            hash("child", memory, at, at + 8 * PAGE);
        fflush(stdout);
        _exit(0);
    }
    int status;

    wait(&status);
    printf("  child: %#x\n", (unsigned)status);
}

static const struct advice {
    const char *name;
    int number;
    int contents_kept; /* 0: they may go, and nobody can say when */
} advices[] = {
    {"NORMAL", 0, 1},           {"RANDOM", 1, 1},          {"SEQUENTIAL", 2, 1},
    {"WILLNEED", 3, 1},         {"DONTNEED", 4, 1},        {"FREE", 8, 0},
    {"REMOVE", 9, 1},           {"DONTFORK", 10, 1},       {"DOFORK", 11, 1},
    {"MERGEABLE", 12, 1},       {"UNMERGEABLE", 13, 1},    {"HUGEPAGE", 14, 1},
    {"NOHUGEPAGE", 15, 1},      {"DONTDUMP", 16, 1},       {"DODUMP", 17, 1},
    {"WIPEONFORK", 18, 1},      {"KEEPONFORK", 19, 1},     {"COLD", 20, 1},
    {"PAGEOUT", 21, 1},         {"POPULATE_READ", 22, 1},  {"POPULATE_WRITE", 23, 1},
    {"DONTNEED_LOCKED", 24, 1}, {"GUARD_INSTALL", 102, 1}, {"GUARD_REMOVE", 103, 1},
    {"unknown", 999, 1},
};

static void advise(unsigned char *memory, const struct advice *advice, size_t from, size_t to, int by_syscall)
{
    errno = 0;
    if (by_syscall)
        report(advice->name, syscall(SYS_madvise, memory + from, to - from, advice->number));
    else
        report(advice->name, madvise(memory + from, to - from, advice->number));
    if (advice->number == 102) {
        access_of("guarded pages", memory, from, to);
        report("GUARD_REMOVE", madvise(memory + from, to - from, 103));
    }
    if (advice->number == 10 || advice->number == 18)
        show_child(memory, 0, 32 * PAGE);
    if (!advice->contents_kept)
        paint_part(memory, from, (to + PAGE - 1) & -PAGE, 2);
}

static void advice_on(int which, const struct advice *advice, int by_syscall)
{
    begin();
    paint_part(array, 12 * PAGE, 14 * PAGE, 9); /* some pages of each are its own */
    paint_part(copy, 10 * PAGE, 11 * PAGE, 8);
    advise(which == 0 ? array : copy, advice, 8 * PAGE, 24 * PAGE, by_syscall);
    advise(which == 0 ? array : copy, advice, 30 * PAGE, 30 * PAGE + 5000, by_syscall); /* a length that is no multiple */
    hash("array", array, 0, SIZE);
    hash("copy", copy, 0, SIZE);
    copies_go_on();
}

static void protect(int protection, int by_syscall)
{
    size_t from = 8 * PAGE, to = 24 * PAGE;

    begin();
    if (by_syscall)
        report("mprotect", syscall(SYS_mprotect, copy + from, to - from, protection));
    else
        report("mprotect", mprotect(copy + from, to - from, protection));
    access_of("copy", copy, 0, 32 * PAGE);
    report("discard", madvise(copy + 10 * PAGE, 4 * PAGE, MADV_DONTNEED));
    access_of("copy", copy, 0, 32 * PAGE);
    executable(copy, SIZE);
    report("mark", madvise(copy + 16 * PAGE, 4 * PAGE, MADV_DONTDUMP));
    access_of("copy", copy, 0, 32 * PAGE);
    fflush(stdout);
    for (int into = 0; into < 2; into++) {
        int status;

        if (fork() == 0) {
            memcpy(into ? copy : third, into ? array : copy, SIZE);
            _exit(0);
        }
        wait(&status);
        printf("  a copy %s it: %#x\n", into ? "into" : "out of", (unsigned)status);
    }
    report("mprotect", mprotect(copy + from, to - from, PROT_READ | PROT_WRITE));
    access_of("copy", copy, 0, 32 * PAGE);
    hash("copy", copy, 0, SIZE);
    copies_go_on();
}

static void lock_part(int flags)
{
    begin();
    report("mlock", flags < 0 ? mlock(copy + 8 * PAGE, 16 * PAGE) : mlock2(copy + 8 * PAGE, 16 * PAGE, (unsigned)flags));
    if (flags < 0)
        resident("locked", copy, 8 * PAGE, 24 * PAGE);
    printf("  locked: %ld\n", field("/proc/self/status", "VmLck:"));
    hash("copy", copy, 0, SIZE);
    memcpy(third, copy, SIZE);
    memcpy(copy, array, SIZE);
    printf("  locked: %ld\n", field("/proc/self/status", "VmLck:"));
    report("MADV_DONTNEED", madvise(copy + 8 * PAGE, PAGE, MADV_DONTNEED));
    report("MADV_DONTNEED_LOCKED", madvise(copy + 9 * PAGE, PAGE, 24));
    hash("copy", copy, 0, SIZE);
    report("mprotect", mprotect(copy, SIZE, PROT_READ));
    report("mprotect", mprotect(copy, SIZE, PROT_READ | PROT_WRITE));
    memcpy(copy, array, SIZE);
    printf("  locked: %ld\n", field("/proc/self/status", "VmLck:"));
    report("munlock", munlock(copy, SIZE));
    copies_go_on();
}

static void lock_all(void)
{
    begin();
    report("mlockall", mlockall(MCL_CURRENT | MCL_FUTURE));
    resident("copy", copy, 0, SIZE);
    memcpy(third, array, SIZE);
    resident("third", third, 0, SIZE);
    report("munlockall", munlockall());
    copies_go_on();
}

static void unmap_part(int by_syscall)
{
    begin();
    report("munmap", by_syscall ? syscall(SYS_munmap, copy + 8 * PAGE, 8 * PAGE) : munmap(copy + 8 * PAGE, 8 * PAGE));
    access_of("copy", copy, 0, 24 * PAGE);
    memcpy(third, copy + 16 * PAGE, SIZE - 16 * PAGE);
    hash("third", third, 0, SIZE - 16 * PAGE);
    report("mmap",
           mmap(copy + 8 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != copy + 8 * PAGE);
    hash("copy", copy, 0, SIZE);
    copies_go_on();
}

static void map_over(int flags, int by_syscall)
{
    unsigned char bytes[16];
    int file = memfd_create("theirs", MFD_CLOEXEC);
    void *got;

    begin();
    if (ftruncate(file, 8 * PAGE) != 0 || pwrite(file, "theirs", 6, 3 * PAGE) != 6)
        exit(99);
    if (by_syscall)
        got = (void *)syscall(SYS_mmap, copy + 8 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, file, 0);
    else
        got = mmap(copy + 8 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, file, 0);
    report("mmap", got != copy + 8 * PAGE);
    hash("copy", copy, 0, SIZE);
    memcpy(third, copy, SIZE);
    hash("third", third, 0, SIZE);
    memcpy(copy, array, SIZE);
    report("pread", pread(file, bytes, sizeof bytes, 3 * PAGE));
    hash("file", bytes, 0, sizeof bytes);
    memset(copy, 0, SIZE);
    report("pread", pread(file, bytes, sizeof bytes, 3 * PAGE));
    hash("file", bytes, 0, sizeof bytes);
    hash("copy", copy, 0, SIZE);
    copies_go_on();
}

static void move_part(int flags, int by_syscall)
{
    unsigned char *moved;

    begin();
    if (by_syscall)
        moved = (void *)syscall(SYS_mremap, copy + 8 * PAGE, 8 * PAGE, 8 * PAGE, flags, 0);
    else
        moved = mremap(copy + 8 * PAGE, 8 * PAGE, 8 * PAGE, flags);
    report("mremap", moved == MAP_FAILED ? -1 : moved != copy + 8 * PAGE);
    if (moved == MAP_FAILED)
        return;
    hash("moved", moved, 0, 8 * PAGE);
    access_of("copy", copy, 0, 24 * PAGE);
    paint_part(array, 8 * PAGE, 16 * PAGE, 6);
    hash("moved", moved, 0, 8 * PAGE);
    report("madvise", madvise(moved, 4 * PAGE, MADV_DONTNEED));
    hash("moved", moved, 0, 8 * PAGE);
    memcpy(third, copy + 16 * PAGE, SIZE - 16 * PAGE);
    hash("third", third, 0, SIZE - 16 * PAGE);
}

/* The kernel lets a process do this to itself only, but for the kinds that change no contents. */
static void advise_process(const struct advice *advice, int by_syscall)
{
    struct iovec ranges[2];
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

    begin();
    ranges[0] = (struct iovec){copy + 8 * PAGE, 4 * PAGE};
    ranges[1] = (struct iovec){copy + 20 * PAGE, 4 * PAGE};
    if (by_syscall)
        report(advice->name, syscall(SYS_process_madvise, self, ranges, 2, advice->number, 0));
    else
        report(advice->name, process_madvise(self, ranges, 2, advice->number, 0));
    close(self);
    hash("array", array, 0, SIZE);
    hash("copy", copy, 0, SIZE);
    copies_go_on();
}

int main(void)
{
    static const char *const ways[] = {"by name", "by syscall()"};

    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < COUNT_OF(advices); i++) {
            CASE("advice on the array", ways[way], advice_on(0, &advices[i], way));
            CASE("advice on the copy", ways[way], advice_on(1, &advices[i], way));
        }
        CASE("protection none", ways[way], protect(PROT_NONE, way));
        CASE("protection read", ways[way], protect(PROT_READ, way));
        CASE("protection read, execute", ways[way], protect(PROT_READ | PROT_EXEC, way));
        CASE("protection all", ways[way], protect(PROT_READ | PROT_WRITE | PROT_EXEC, way));
        CASE("munmap", ways[way], unmap_part(way));
        CASE("mmap of a file, private", ways[way], map_over(MAP_PRIVATE, way));
        CASE("mmap of a file, shared", ways[way], map_over(MAP_SHARED, way));
        CASE("mremap", ways[way], move_part(MREMAP_MAYMOVE, way));
        CASE("mremap that leaves the mapping", ways[way], move_part(MREMAP_MAYMOVE | 4, way));
        for (size_t i = 0; i < COUNT_OF(advices); i++)
            if (advices[i].contents_kept)
                CASE("process_madvise", ways[way], advise_process(&advices[i], way));
    }
    CASE("mlock", "", lock_part(-1));
    CASE("mlock2", "", lock_part(0));
    CASE("mlock2 on fault", "", lock_part(1));
    CASE("mlockall", "", lock_all());
    return 0;
}
