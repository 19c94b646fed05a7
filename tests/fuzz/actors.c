/* SPDX-License-Identifier: MIT */
#include "actors.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "../model/oracle.h"
#include "../preload/ring.h"
#include "base/fault.h"
#include "base/page.h"
#include "engine/engine.h"
#include "engine/store/extent.h"
#include "kernel/holders.h"
#include "operations.h"

#ifndef IORING_OP_RECV
#define IORING_OP_RECV 27
#endif
#define MERGE_ALL 67 /* PR_SET_MEMORY_MERGE */
#define LONGEST ((size_t)32 << 10)

static struct ring ring = {.fd = -1};
static int ends[2]; /* of the socket from which the ring receives */
static struct {
    struct slot *slot; /* NULL: nothing is posted */
    struct range range;
} posted;
static unsigned char message[LONGEST];
static unsigned messages;

static void write_message(void)
{
    messages++;
    for (size_t i = 0; i < LONGEST; i++)
        message[i] = (unsigned char)(messages * 77 + i * 13 + (i >> 8));
}

static struct range take_some(const struct slot *slot)
{
    struct range range = take_range(slot);

    return (struct range){range.start, range.size < LONGEST ? range.size : LONGEST};
}

static void call(const struct slot *slot, struct range range, enum engine_memory_call what)
{
    engine_memory_call(slot->block + range.start, range.size, what);
}

static struct range inner_pages(const struct slot *slot)
{
    return (struct range){0, page_down(slot->size)};
}

/* Without a word to the engine: liburing makes its calls without libc. */
static bool ring_there(void)
{
    return ring.fd >= 0 || (ring_open(&ring) == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
}

static void send_message(size_t size)
{
    if (write(ends[1], message, size) != (ssize_t)size)
        fail("nothing can be sent: error %d", errno);
}

static void expect(long got, size_t size, const char *what)
{
    if (got != (long)size)
        fail("%s: %ld of %zu bytes, error %d", what, got, size, errno);
}

static void post(struct slot *slot)
{
    actor_deliver();
    posted.range = take_some(slot);
    if (!ring_there() || ring_submit(&ring, IORING_OP_RECV, ends[0], slot->block + posted.range.start, posted.range.size, 0) != 1)
        return;
    posted.slot = slot;
}

static void arrive(void)
{
    struct slot *slot = posted.slot;

    posted.slot = NULL;
    expect(ring_wait(&ring), posted.range.size, "a receive");
    oracle_move(slot->picture + posted.range.start, message, posted.range.size);
}

void actor_deliver(void)
{
    if (posted.slot == NULL)
        return;
    write_message();
    send_message(posted.range.size);
    arrive();
}

/* It is there already, and arrives inside of some call of the engine's: a copy may have what was there before. */
static void receive_inside(struct slot *slot, struct slot *other)
{
    post(slot);
    if (posted.slot == NULL)
        return;
    write_message();
    send_message(posted.range.size);
    if (other != slot)
        copy_whole(other, slot);
    arrive();
    if (other != slot && posted.range.start < other->size)
        slot_learn(other, posted.range.start,
                   posted.range.start + posted.range.size < other->size ? posted.range.start + posted.range.size : other->size);
}

/* Into memory that was registered: its pages stay where they are, whatever happens to the contents. */
static void read_fixed(struct slot *slot, struct slot *other)
{
    static const enum engine_memory_call calls[] = {MEMORY_KEEP, MEMORY_EXCLUDE, MEMORY_HUGE, MEMORY_ADMIT};
    struct range range = take_some(slot);
    int file;

    if (!ring_there() || ring_register(&ring, slot->block, page_up(slot->size)) != 0)
        return;
    file = (int)syscall(SYS_memfd_create, "fuzz", 1);
    write_message();
    expect(pwrite(file, message, range.size, 0), range.size, "a write to a file");
    call(slot, take_pages(slot), calls[take() % 4]);
    if (other != slot)
        copy_whole(other, slot);
    if (other != slot && take() % 2)
        copy_whole(slot, other);
    expect(ring_do(&ring, IORING_OP_READ_FIXED, file, slot->block + range.start, range.size, 0), range.size,
           "a read into a registered buffer");
    oracle_move(slot->picture + range.start, message, range.size);
    ring_unregister(&ring);
    close(file);
}

/* A pager that has the same page everywhere. */
static int pager;
static unsigned char served[4096] __attribute__((aligned(4096)));

static void *serve(void *unused)
{
    struct uffd_msg event;

    while (read(pager, &event, sizeof event) == sizeof event) {
        struct uffdio_copy copy = {.dst = page_down(event.arg.pagefault.address), .src = (uintptr_t)served, .len = sizeof served};

        ioctl(pager, UFFDIO_COPY, &copy);
    }
    return unused;
}

/* Not always: some programs make their calls without libc. What shows a store must have left it before. */
static void announce_pager(const struct slot *slot, struct range range)
{
    if (extent_count() == 0 && take() % 2)
        return;
    fault_at(0, false); /* what cannot leave its store now shows it again when it is discarded */
    holders_note(HOLDER_PAGER);
    call(slot, range, MEMORY_KEEP);
}

static bool begin_pager(const struct slot *slot, struct range range, pthread_t *thread)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register pages = {.range = {(uintptr_t)slot->block + range.start, range.size}, .mode = UFFDIO_REGISTER_MODE_MISSING};

    announce_pager(slot, range);
    for (size_t at = 0; at < range.size; at += page_size) /* what is not there is the pager's to fill */
        (void)*(volatile unsigned char *)(slot->block + range.start + at);
    pager = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
    return pager >= 0 && ioctl(pager, UFFDIO_API, &api) == 0 && ioctl(pager, UFFDIO_REGISTER, &pages) == 0 &&
           pthread_create(thread, NULL, serve, NULL) == 0;
}

/* Its memory stays as it was served when the pager goes. Beside a ring no view is given up for a pager (doc/limits.md). */
static void page_in(struct slot *slot, struct slot *other)
{
    struct range all = inner_pages(slot), discarded = take_pages(slot);
    pthread_t thread;

    if (page_size != sizeof served || ring.fd >= 0 || !begin_pager(slot, all, &thread))
        return;
    write_message();
    oracle_move(served, message, sizeof served);
    slot_compare(slot, 0, slot->size, "handed to a pager");
    syscall(SYS_madvise, slot->block + discarded.start, discarded.size, MADV_DONTNEED);
    for (size_t at = 0; at < discarded.size; at += page_size)
        oracle_move(slot->picture + discarded.start + at, served, page_size);
    if (other != slot)
        copy_whole(other, slot);
    slots_compare("served by a pager");
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    close(pager);
}

static bool zero_page_put(int uffd, uintptr_t page)
{
    struct uffdio_zeropage zero = {.range = {page, page_size}};

    return syscall(SYS_madvise, page, page_size, MADV_DONTNEED) == 0 && ioctl(uffd, UFFDIO_ZEROPAGE, &zero) == 0;
}

/* What KSM does with pages of zeros where it uses the zero page, without waiting for it. Closed before the engine looks. */
static void put_zero_pages(const struct slot *slot, struct range range)
{
    int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register pages = {.range = {(uintptr_t)slot->block + range.start, range.size}, .mode = UFFDIO_REGISTER_MODE_MISSING};

    if (uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0 && ioctl(uffd, UFFDIO_REGISTER, &pages) == 0)
        for (uint64_t at = 0; at < range.size; at += page_size)
            if (!zero_page_put(uffd, (uintptr_t)pages.range.start + at))
                fail("no zero page can be put: error %d", errno);
    close(uffd);
}

static void merge_all(struct slot *slot, struct slot *other)
{
    struct range range = take_pages(slot);

    engine_note_merging();
    prctl(MERGE_ALL, 1, 0, 0, 0);
    oracle_fill(slot->block + range.start, 0, range.size);
    oracle_fill(slot->picture + range.start, 0, range.size);
    if (ring.fd < 0)
        put_zero_pages(slot, range);
    if (other != slot)
        copy_whole(other, slot);
}

/* What the program has merged itself. */
static void merge(struct slot *slot, struct slot *other)
{
    call(slot, inner_pages(slot), MEMORY_KEEP);
    syscall(SYS_madvise, slot->block, page_down(slot->size), MADV_MERGEABLE);
    if (other != slot)
        copy_whole(other, slot);
}

static void place(struct slot *slot, struct slot *other)
{
    struct range range = take_pages(slot);
    unsigned long nodes = 1;
    int mode = MPOL_DEFAULT;

    call(slot, range, MEMORY_KEEP);
    if (syscall(SYS_mbind, slot->block + range.start, range.size, MPOL_PREFERRED, &nodes, 64, 0) != 0)
        return;
    if (other != slot) {
        copy_whole(other, slot);
        copy_whole(slot, other);
    }
    if (syscall(SYS_get_mempolicy, &mode, NULL, 0, slot->block + range.start, MPOL_F_ADDR) != 0 || mode != MPOL_PREFERRED)
        fail("where pages shall lie is forgotten: %d", mode);
    syscall(SYS_mbind, slot->block + range.start, range.size, MPOL_DEFAULT, NULL, 0, 0);
}

/* A pipe has pages that no memory shows any more. It is read when the next one is filled, or at the end. */
static struct {
    int read;
    size_t size; /* 0: nothing */
    unsigned char bytes[LONGEST];
} pipe_full;

static void drain(void)
{
    static unsigned char got[LONGEST];

    if (pipe_full.size == 0)
        return;
    expect(read(pipe_full.read, got, pipe_full.size), pipe_full.size, "a pipe");
    if (oracle_differ(got, pipe_full.bytes, pipe_full.size) != pipe_full.size)
        fail("what was spliced into a pipe changed");
    close(pipe_full.read);
    pipe_full.size = 0;
}

static struct range fill_pipe(const struct slot *slot)
{
    struct range range = take_pages(slot);
    struct iovec bytes = {slot->block + range.start, range.size < LONGEST ? range.size : LONGEST};
    int ends_of_pipe[2];
    ssize_t got;

    drain();
    holders_note(HOLDER_READER);
    if (pipe(ends_of_pipe) != 0)
        return (struct range){range.start, 0};
    got = vmsplice(ends_of_pipe[1], &bytes, 1, SPLICE_F_NONBLOCK);
    pipe_full.read = ends_of_pipe[0];
    pipe_full.size = got > 0 ? (size_t)got : 0;
    oracle_move(pipe_full.bytes, slot->picture + range.start, pipe_full.size);
    close(ends_of_pipe[1]);
    return (struct range){range.start, page_down(pipe_full.size)};
}

static void splice_out(struct slot *slot, struct slot *other)
{
    struct range range;

    if (other != slot && take() % 2)
        copy_whole(other, slot);
    range = fill_pipe(slot);
    if (other != slot) {
        copy_whole(other, slot);
        slot_write(other, (struct range){0, other->size}, page_size, take());
    }
    if (range.size > 0)
        discard(slot, range);
}

void actor_act(struct slot *slot, struct slot *other)
{
    switch (take() % 8) {
    case 0:
        post(slot);
        break;
    case 1:
        receive_inside(slot, other);
        break;
    case 2:
        read_fixed(slot, other);
        break;
    case 3:
        page_in(slot, other);
        break;
    case 4:
        merge_all(slot, other);
        break;
    case 5:
        merge(slot, other);
        break;
    case 6:
        place(slot, other);
        break;
    default:
        splice_out(slot, other);
        break;
    }
}

void actors_end(void)
{
    actor_deliver();
    drain();
}

void actors_after_fork(void)
{
    if (pipe_full.size > 0)
        close(pipe_full.read); /* it is the parent's */
    pipe_full.size = 0;
    if (ring.fd < 0)
        return;
    close(ring.fd);
    close(ends[0]);
    close(ends[1]);
    ring.fd = -1;
}
