/* SPDX-License-Identifier: MIT */
/* Bytes that the kernel or another process moves into and out of an array that was copied, and its copy: into pages that
   show a store and pages that do not. Prints what each call returns and what the memory holds afterwards; same.sh compares what is
   printed natively and under the shim. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "io.h"
#include "ring.h"

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

int main(void)
{
    static const char *const names[] = {"the array", "the copy"};

    io_begin();
    for (int which = 0; which < 2; which++) {
        for (size_t i = 0; i < COUNT_OF(movers); i++) {
            if (movers[i].into != NULL)
                CASE(movers[i].name, names[which], move_into(&movers[i], which));
            if (movers[i].out_of != NULL)
                CASE(movers[i].name, names[which], move_out(&movers[i], which));
        }
    }
    return 0;
}
