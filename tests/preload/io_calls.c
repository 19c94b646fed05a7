/* SPDX-License-Identifier: MIT */
/* Bytes that the kernel, another process or a device moves into and out of an array that was copied, and its copy: into pages that
   show a store and pages that do not. Prints what each call returns and what the memory holds afterwards; same.sh compares what is
   printed natively and under the shim. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ring.h"
#include "same.h"

/* Pages of both kinds, and pieces of pages at both ends. */
#define FROM (8 * PAGE + 100)
#define LENGTH (12 * PAGE + 333)

static unsigned char message[LENGTH];
static unsigned char *got; /* shared with children */

/* The array and its copy, each with some pages of its own. */
static void begin_mixed(void)
{
    begin();
    paint_part(array, 12 * PAGE, 14 * PAGE, 9);
    paint_part(copy, 10 * PAGE, 11 * PAGE, 8);
}

static void hash_both(void)
{
    hash("array", array, 0, SIZE);
    hash("copy", copy, 0, SIZE);
}

static int temporary_file(int flags)
{
    char path[500];
    const char *directory = getenv("STORY_DIRECTORY");
    int fd;

    snprintf(path, sizeof path, "%s/io_calls.%d", directory == NULL ? "/tmp" : directory, getpid());
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | flags, 0600);
    unlink(path);
    return fd;
}

static int skip(const char *what)
{
    printf("skipped: %s: %s\n", what, strerror(errno));
    exit(0);
}

/* What a call moves bytes to or from: the end that it is given, and the one that we fill or empty. */
enum channel { NOTHING, FILE_OFFSET, PIPE, SOCKET };

struct ends {
    int theirs, ours;
};

static struct ends open_ends(enum channel channel, int into)
{
    int fds[2] = {-1, -1};
    struct ends ends;

    if (channel == FILE_OFFSET && ((fds[0] = memfd_create("file", 0)) < 0 || (fds[1] = dup(fds[0])) < 0))
        exit(99);
    if (channel == PIPE && (pipe(fds) != 0 || fcntl(fds[0], F_SETPIPE_SZ, 1 << 20) < 0))
        exit(99);
    if (channel == SOCKET && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        exit(99);
    ends = (struct ends){fds[into ? 0 : 1], fds[into ? 1 : 0]};
    return ends;
}

static long read_all(int fd, unsigned char *memory, size_t size)
{
    size_t done = 0;
    ssize_t count;

    while (done < size && (count = read(fd, memory + done, size - done)) > 0)
        done += (size_t)count;
    return (long)done;
}

static void pieces(struct iovec ranges[3], unsigned char *memory, size_t size)
{
    ranges[0] = (struct iovec){memory, 2 * PAGE};
    ranges[1] = (struct iovec){memory + 2 * PAGE, 17};
    ranges[2] = (struct iovec){memory + 2 * PAGE + 17, size - 2 * PAGE - 17};
}

static long by_read(int fd, unsigned char *memory, size_t size)
{
    return read(fd, memory, size);
}

static long by_write(int fd, unsigned char *memory, size_t size)
{
    return write(fd, memory, size);
}

static long by_pread(int fd, unsigned char *memory, size_t size)
{
    return pread(fd, memory, size, 0);
}

static long by_pwrite(int fd, unsigned char *memory, size_t size)
{
    return pwrite(fd, memory, size, 0);
}

static long by_readv(int fd, unsigned char *memory, size_t size)
{
    struct iovec ranges[3];

    pieces(ranges, memory, size);
    return readv(fd, ranges, 3);
}

static long by_writev(int fd, unsigned char *memory, size_t size)
{
    struct iovec ranges[3];

    pieces(ranges, memory, size);
    return writev(fd, ranges, 3);
}

static long by_recv(int fd, unsigned char *memory, size_t size)
{
    return recv(fd, memory, size, MSG_WAITALL);
}

static long by_send(int fd, unsigned char *memory, size_t size)
{
    return send(fd, memory, size, 0);
}

static long by_recvmsg(int fd, unsigned char *memory, size_t size)
{
    struct iovec ranges[3];
    struct msghdr header = {.msg_iov = ranges, .msg_iovlen = 3};

    pieces(ranges, memory, size);
    return recvmsg(fd, &header, MSG_WAITALL);
}

static long by_sendmsg(int fd, unsigned char *memory, size_t size)
{
    struct iovec ranges[3];
    struct msghdr header = {.msg_iov = ranges, .msg_iovlen = 3};

    pieces(ranges, memory, size);
    return sendmsg(fd, &header, 0);
}

static long through_ring(int operation, int fd, unsigned char *memory, size_t size)
{
    struct ring ring;

    if (ring_open(&ring) != 0)
        skip("io_uring");
    return ring_do(&ring, operation, fd, memory, size, 0);
}

static long by_ring_read(int fd, unsigned char *memory, size_t size)
{
    return through_ring(IORING_OP_READ, fd, memory, size);
}

static long by_ring_write(int fd, unsigned char *memory, size_t size)
{
    return through_ring(IORING_OP_WRITE, fd, memory, size);
}

/* File to socket without us, then into memory; and memory to file, then to a socket. */
static long by_sendfile_in(int fd, unsigned char *memory, size_t size)
{
    struct ends ends = open_ends(SOCKET, 1);

    return sendfile(ends.ours, fd, NULL, size) != (ssize_t)size ? -1 : by_recv(ends.theirs, memory, size);
}

static long by_sendfile_out(int fd, unsigned char *memory, size_t size)
{
    int file = memfd_create("other", 0);

    if (write(file, memory, size) != (ssize_t)size || lseek(file, 0, SEEK_SET) != 0)
        return -1;
    return sendfile(fd, file, NULL, size);
}

static long by_vmsplice(int fd, unsigned char *memory, size_t size)
{
    struct iovec range = {memory, size};

    return vmsplice(fd, &range, 1, 0);
}

/* The ends as a gift, which only whole pages may be. */
static long by_gift(int fd, unsigned char *memory, size_t size)
{
    struct iovec before = {memory, PAGE - 100}, whole = {memory + PAGE - 100, 11 * PAGE}, after;
    long sum;

    after = (struct iovec){memory + before.iov_len + whole.iov_len, size - before.iov_len - whole.iov_len};
    sum = vmsplice(fd, &before, 1, 0);
    sum += vmsplice(fd, &whole, 1, SPLICE_F_GIFT);
    return sum + vmsplice(fd, &after, 1, 0);
}

static int own_memory(void)
{
    return open("/proc/self/mem", O_RDWR);
}

static long by_memory_file_in(int fd, unsigned char *memory, size_t size)
{
    (void)fd;
    return pwrite(own_memory(), message, size, (off_t)(uintptr_t)memory);
}

static long by_memory_file_out(int fd, unsigned char *memory, size_t size)
{
    (void)fd;
    return pread(own_memory(), got, size, (off_t)(uintptr_t)memory);
}

/* A child, or the parent of one, as the other process. */
typedef ssize_t vm_call(pid_t, const struct iovec *, unsigned long, const struct iovec *, unsigned long, unsigned long);

static long vm_move(vm_call *call, pid_t process, unsigned char *here, unsigned char *there, size_t size)
{
    struct iovec local = {here, size}, remote = {there, size};

    return call(process, &local, 1, &remote, 1, 0);
}

static long in_child(vm_call *call, unsigned char *here, unsigned char *there, size_t size)
{
    int status;

    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    if (fork() == 0)
        _exit(vm_move(call, getppid(), here, there, size) == (long)size ? 0 : 1);
    wait(&status);
    return status == 0 ? (long)size : -1;
}

static long from_child(vm_call *call, unsigned char *here, unsigned char *there, size_t size)
{
    long result;
    int status;
    pid_t child = fork();

    if (child == 0) {
        for (size_t i = 0; call == process_vm_readv && i < size; i++)
            there[i] = message[i];
        raise(SIGSTOP);
        for (size_t i = 0; call == process_vm_writev && i < size; i++)
            got[i] = there[i];
        _exit(0);
    }
    waitpid(child, &status, WUNTRACED);
    result = vm_move(call, child, here, there, size);
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    return result;
}

static long written_by_child(int fd, unsigned char *memory, size_t size)
{
    (void)fd;
    return in_child(process_vm_writev, message, memory, size);
}

static long read_by_child(int fd, unsigned char *memory, size_t size)
{
    (void)fd;
    return in_child(process_vm_readv, got, memory, size);
}

static long read_from_child(int fd, unsigned char *memory, size_t size)
{
    (void)fd;
    return from_child(process_vm_readv, memory, memory, size);
}

static long written_to_child(int fd, unsigned char *memory, size_t size)
{
    (void)fd;
    return from_child(process_vm_writev, memory, memory == copy + FROM ? array + FROM : copy + FROM, size);
}

static const struct mover {
    const char *name;
    enum channel channel;
    long (*into)(int fd, unsigned char *memory, size_t size);
    long (*out_of)(int fd, unsigned char *memory, size_t size);
} movers[] = {
    {"read and write, a file", FILE_OFFSET, by_read, by_write},
    {"read and write, a pipe", PIPE, by_read, by_write},
    {"pread and pwrite", FILE_OFFSET, by_pread, by_pwrite},
    {"readv and writev", FILE_OFFSET, by_readv, by_writev},
    {"recv and send", SOCKET, by_recv, by_send},
    {"recvmsg and sendmsg", SOCKET, by_recvmsg, by_sendmsg},
    {"io_uring", FILE_OFFSET, by_ring_read, by_ring_write},
    {"sendfile from a file", FILE_OFFSET, by_sendfile_in, NULL},
    {"sendfile to a socket", SOCKET, NULL, by_sendfile_out},
    {"vmsplice", PIPE, NULL, by_vmsplice},
    {"vmsplice as a gift", PIPE, NULL, by_gift},
    {"/proc/self/mem", NOTHING, by_memory_file_in, by_memory_file_out},
    {"process_vm_writev and readv by a child", NOTHING, written_by_child, read_by_child},
    {"process_vm_readv and writev on a child", NOTHING, read_from_child, written_to_child},
};

static void move_into(const struct mover *mover, int which)
{
    struct ends ends = open_ends(mover->channel, 1);

    begin_mixed();
    if (mover->channel != NOTHING && write(ends.ours, message, LENGTH) != (ssize_t)LENGTH)
        exit(99);
    if (mover->channel == FILE_OFFSET)
        lseek(ends.ours, 0, SEEK_SET);
    report("into", mover->into(ends.theirs, (which == 0 ? array : copy) + FROM, LENGTH));
    hash_both();
    copies_go_on();
}

static void move_out(const struct mover *mover, int which)
{
    struct ends ends = open_ends(mover->channel, 0);

    begin_mixed();
    report("out of", mover->out_of(ends.theirs, (which == 0 ? array : copy) + FROM, LENGTH));
    if (mover->channel == FILE_OFFSET)
        lseek(ends.ours, 0, SEEK_SET);
    if (mover->channel != NOTHING)
        report("got", read_all(ends.ours, got, LENGTH));
    hash("got", got, 0, LENGTH);
    hash_both();
    copies_go_on();
}

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

    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    paint_part(message, 0, LENGTH, 77);
    got = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED)
        return 99;
    for (int which = 0; which < 2; which++) {
        for (size_t i = 0; i < COUNT_OF(movers); i++) {
            if (movers[i].into != NULL)
                CASE(movers[i].name, names[which], move_into(&movers[i], which));
            if (movers[i].out_of != NULL)
                CASE(movers[i].name, names[which], move_out(&movers[i], which));
        }
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
