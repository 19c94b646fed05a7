/* SPDX-License-Identifier: MIT */
/* Pages of an array that was copied, and of its copy, that somebody else holds: a device, a pipe, a ring, a tracer, the kernel that
   pages out or merges. Prints what each call returns and what the memory holds afterwards; same.sh compares what is printed natively
   and under the shim. */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "io.h"
#include "ring.h"

/* A device reads and writes the pages themselves. */
static void direct(int which, int written)
{
    unsigned char *memory = (which == 0 ? array : copy) + 8 * PAGE;
    int file = temporary_file(O_DIRECT);
    size_t size = 12 * PAGE;

    if (file < 0)
        skip("O_DIRECT");
    if (written) {
        report("pwrite", pwrite(file, memory, size, 0));
    } else {
        report("pwrite", pwrite(file, third, size, 0));
        report("pread", pread(file, memory, size, 0));
    }
    report("pread", pread(file, third + 20 * PAGE, size, 0));
    hash("third", third, 0, SIZE);
    hash_both();
    copies_go_on();
}

static void begin_third(void)
{
    begin_mixed();
    paint_part(third, 0, SIZE, 33);
}

/* A pipe that holds pages gives each as it was then or as it is now, which nobody promises; memory is not its business. */
static void change_lent(int which, unsigned flags)
{
    static unsigned char before[SIZE];
    unsigned char *lent = which == 0 ? array : copy;
    struct ends ends = open_ends(PIPE, 0);
    size_t from = 8 * PAGE, to = 20 * PAGE;
    struct iovec range = {lent + from, to - from};
    int wrong = 0;

    for (size_t i = 0; i < SIZE; i++)
        before[i] = lent[i];
    report("vmsplice", vmsplice(ends.theirs, &range, 1, flags));
    memcpy(third, lent, SIZE);
    paint_part(lent, 9 * PAGE, 13 * PAGE, 4);
    memcpy(lent + 15 * PAGE, array + 40 * PAGE, 16 * PAGE);
    report("read", read_all(ends.ours, got, to - from));
    for (size_t at = from; at < to; at += PAGE)
        wrong += memcmp(got + at - from, before + at, PAGE) != 0 && memcmp(got + at - from, lent + at, PAGE) != 0;
    printf("  pages that are neither: %d\n", wrong);
    hash("third", third, 0, SIZE);
    hash_both();
    copies_go_on();
}

static void peek_and_poke(pid_t child)
{
    int wrong = 0;

    for (size_t at = 7 * PAGE; at < 16 * PAGE; at += 512) {
        wrong += ptrace(PTRACE_PEEKDATA, child, array + at, NULL) != *(long *)(void *)(array + at);
        wrong += ptrace(PTRACE_PEEKDATA, child, copy + at, NULL) != *(long *)(void *)(copy + at);
        wrong += ptrace(PTRACE_POKEDATA, child, array + at, (void *)(at * 3)) != 0;
        wrong += ptrace(PTRACE_POKEDATA, child, copy + at + PAGE / 2, (void *)(at * 5)) != 0;
    }
    printf("  words that were not peeked or poked: %d\n", wrong);
}

static void trace(void)
{
    int status;
    pid_t child;

    begin_mixed();
    fflush(stdout);
    child = fork();
    if (child == 0) {
        report("traced", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
        raise(SIGSTOP);
        hash_both();
        copies_go_on();
        exit(0);
    }
    waitpid(child, &status, 0);
    peek_and_poke(child);
    hash_both();
    fflush(stdout);
    ptrace(PTRACE_CONT, child, NULL, NULL);
    waitpid(child, &status, 0);
    printf("  child: %#x\n", (unsigned)status);
    copies_go_on();
}

static void fixed(struct ring *ring, int operation, int file, unsigned char *memory)
{
    report(operation == IORING_OP_READ_FIXED ? "read" : "write", ring_do(ring, operation, file, memory + FROM, LENGTH, 0));
}

/* The kernel holds the pages and goes on with them, whatever is mapped there: none may be replaced. */
static void registered(int which, int through_child)
{
    int file = memfd_create("file", 0);
    unsigned char *buffer;
    struct ring ring;

    if (ring_open(&ring) != 0)
        skip("io_uring");
    begin_mixed();
    buffer = which == 0 ? array : copy;
    if (pwrite(file, message, LENGTH, 0) != (ssize_t)LENGTH)
        exit(99);
    if (ring_register(&ring, buffer, SIZE) != 0)
        skip("registered buffers of io_uring");
    printf("  pinned: %d\n", field("/proc/self/status", "VmPin:") >= (long)(SIZE / 1024));
    memcpy(third, buffer, SIZE);
    memcpy(copy, array, SIZE);
    fixed(&ring, IORING_OP_READ_FIXED, file, buffer);
    hash_both();
    hash("third", third, 0, SIZE);
    if (through_child) {
        fflush(stdout);
        if (fork() == 0) {
            memcpy(copy, third, SIZE);
            copies_go_on();
            _exit(0);
        }
        wait(NULL);
    }
    paint_part(buffer, 9 * PAGE, 11 * PAGE, 40);
    memset(buffer + 14 * PAGE, 0, 24 * PAGE);
    fixed(&ring, IORING_OP_WRITE_FIXED, file, buffer);
    report("pread", pread(file, got, LENGTH, 0));
    hash("got", got, 0, LENGTH);
    memcpy(third, buffer, SIZE);
    if (pwrite(file, message, LENGTH, 0) != (ssize_t)LENGTH)
        exit(99);
    fixed(&ring, IORING_OP_READ_FIXED, file, buffer);
    hash_both();
    report("unregister", ring_unregister(&ring));
    printf("  pinned: %ld\n", field("/proc/self/status", "VmPin:"));
    memcpy(third, buffer, SIZE);
    paint_part(buffer, 0, 9 * PAGE, 41);
    hash("third", third, 0, SIZE);
    hash_both();
    copies_go_on();
}

/* Pages that are paged out, or merged with others of the same contents, are sealed as they are, without being read first. */
static void page_out(int which)
{
    begin_mixed();
    if (field("/proc/meminfo", "SwapTotal:") <= 0)
        printf("skipped: swap: this machine has none; MADV_PAGEOUT keeps private pages\n");
    report("array", madvise(array, SIZE, MADV_PAGEOUT));
    report("copy", madvise(copy, SIZE, MADV_PAGEOUT));
    memcpy(third, which == 0 ? array : copy, SIZE);
    report("third", madvise(third, SIZE, MADV_PAGEOUT));
    paint_part(third, 11 * PAGE, 12 * PAGE, 6);
    hash("third", third, 0, SIZE);
    hash_both();
    copies_go_on();
}

static void merge(int which)
{
    unsigned char *merged;

    begin_mixed();
    merged = which == 0 ? array : copy;
    paint_part(merged, 40 * PAGE, 48 * PAGE, 50);
    for (size_t at = 41 * PAGE; at < 48 * PAGE; at += PAGE)
        for (size_t i = 0; i < PAGE; i++)
            merged[at + i] = merged[40 * PAGE + i];
    if (madvise(merged, SIZE, MADV_MERGEABLE) != 0)
        skip("MADV_MERGEABLE");
    if (field("/sys/kernel/mm/ksm/run", "") != 1)
        printf("skipped: KSM: /sys/kernel/mm/ksm/run is not 1; pages are marked only\n");
    else
        for (int i = 0; i < 100 && field("/proc/self/ksm_merging_pages", "") < 7; i++)
            usleep(20000);
    memcpy(third, merged, SIZE);
    paint_part(merged, 42 * PAGE, 43 * PAGE, 51);
    hash("third", third, 0, SIZE);
    hash_both();
    report("UNMERGEABLE", madvise(merged, SIZE, MADV_UNMERGEABLE));
    copies_go_on();
}

int main(void)
{
    static const char *const names[] = {"the array", "the copy"};

    io_begin();
    for (int which = 0; which < 2; which++) {
        CASE("O_DIRECT into", names[which], begin_third(); direct(which, 0));
        CASE("O_DIRECT out of", names[which], begin_third(); direct(which, 1));
        CASE("lent to a pipe and changed", names[which], begin_mixed(); change_lent(which, 0));
        CASE("given to a pipe and changed", names[which], begin_mixed(); change_lent(which, SPLICE_F_GIFT));
        CASE("registered with io_uring", names[which], registered(which, 0));
        CASE("registered with io_uring, and a fork", names[which], registered(which, 1));
        CASE("paged out", names[which], page_out(which));
        CASE("merged", names[which], merge(which));
    }
    CASE("ptrace", "", trace());
    return 0;
}
