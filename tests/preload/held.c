/* SPDX-License-Identifier: MIT */
/* Memory that somebody else holds: rings, pagers, devices. No byte may be lost to them, and they must find the pages where they were.
   Each story runs in a child of its own: what such a process once opened is remembered. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_xdp.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "instruction.h"
#include "ring.h"
#include "story.h"

#ifndef AF_XDP
#define AF_XDP 44
#define SOL_XDP 283
#endif
#ifndef IORING_OP_RECV
#define IORING_OP_RECV 27
#endif

#define PAGE 4096
#define SIZE ((size_t)4 << 20)
#define MESSAGE 4096

static int in_child(int (*tell)(void))
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        int result = tell();

        fflush(stdout);
        _exit(result);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return BROKEN;
    CHECK(WIFEXITED(status), "the child ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static unsigned char *block(unsigned salt)
{
    unsigned char *memory = malloc(SIZE);

    paint(memory, SIZE, salt);
    return memory;
}

static void *idle(void *unused)
{
    pause();
    return unused;
}

/* A peer that sends a message of round numbers whenever it is told to. */
struct peer {
    int ours, theirs, go[2];
};

static void *send_when_told(void *argument)
{
    struct peer *peer = argument;
    unsigned char message[MESSAGE];
    unsigned char round;

    while (read(peer->go[0], &round, 1) == 1) {
        memset(message, round, sizeof message);
        usleep(round % 7 * 100);
        if (write(peer->theirs, message, sizeof message) != sizeof message)
            break;
    }
    return NULL;
}

static int begin_peer(struct peer *peer)
{
    int pair[2];
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0 || pipe(peer->go) != 0)
        return -1;
    peer->ours = pair[0];
    peer->theirs = pair[1];
    child = fork(); /* a process: a thread would be a reason for a guard */
    if (child == 0) {
        close(peer->go[1]);
        close(pair[0]);
        send_when_told(peer);
        _exit(0);
    }
    close(peer->go[0]);
    close(pair[1]);
    return child < 0 ? -1 : 0;
}

/* What the program does while a receive is under way. */
static void copy_meanwhile(int round, unsigned char *from, unsigned char *to, unsigned char *view)
{
    switch (round % 4) {
    case 0:
        memcpy(to, from, SIZE);
        break;
    case 1: /* the receive goes into a view */
        memcpy(to, view, SIZE);
        break;
    case 2:
        memcpy(to, from, SIZE);
        if (fork() == 0)
            _exit(0);
        wait(NULL);
        break;
    default:
        memcpy(to, from, SIZE);
        madvise(to, SIZE, MADV_DONTNEED);
        break;
    }
}

static int receive_rounds(void)
{
    unsigned char *view = malloc(SIZE);
    unsigned char *origin = block(9);
    struct ring ring;
    struct peer peer;
    int lost = 0;

    memcpy(view, origin, SIZE); /* before there is a ring */
    if (begin_peer(&peer) != 0)
        return BROKEN;
    if (ring_open(&ring) != 0) {
        printf("# no io_uring here\n");
        return SKIPPED;
    }
    for (int round = 1; round <= 60; round++) {
        unsigned char *from = block(1);
        unsigned char *to = malloc(SIZE);
        unsigned char *at = (round % 4 == 1 ? view : from) + SIZE / 2;
        unsigned char number = (unsigned char)round;

        if (ring_submit(&ring, IORING_OP_RECV, peer.ours, at, MESSAGE, 0) != 1 || write(peer.go[1], &number, 1) != 1)
            return BROKEN;
        copy_meanwhile(round, from, to, view);
        CHECK(ring_wait(&ring) == MESSAGE, "round %d: the receive failed", round);
        for (int i = 0; i < MESSAGE; i++)
            lost += at[i] != number;
        free(from);
        free(to);
    }
    CHECK(lost == 0, "%d bytes of 60 receives were lost", lost);
    return KEPT;
}

static int receive_alone(void)
{
    return in_child(receive_rounds);
}

static int receive_rounds_with_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, idle, NULL);
    alarm(60); /* a thread that waits for itself never ends */
    return receive_rounds();
}

static int receive_with_thread(void)
{
    return in_child(receive_rounds_with_thread);
}

/* Fixed buffers in a view, and then a call that wants the contents out of the store. */
static int (*dispossess)(unsigned char *memory);

static int fixed_buffer(void)
{
    int file = memfd_create("file", 0);
    unsigned char *memory = aligned_alloc(PAGE, SIZE);
    unsigned char *origin = aligned_alloc(PAGE, SIZE);
    static unsigned char in[SIZE / 4];
    struct ring ring;

    paint(origin, SIZE, 2);
    memcpy(memory, origin, SIZE);
    paint(in, sizeof in, 3);
    if (pwrite(file, in, sizeof in, 0) != sizeof in)
        return BROKEN;
    if (ring_open(&ring) != 0 || ring_register(&ring, memory, SIZE) != 0) {
        printf("# no registered buffers here\n");
        return SKIPPED;
    }
    if (dispossess(memory) != 0)
        printf("# the call failed: error %d\n", errno);
    CHECK(holds(memory, SIZE, 0, 2), "the contents changed");
    CHECK(ring_do(&ring, IORING_OP_READ_FIXED, file, memory + PAGE, sizeof in, 0) == sizeof in, "the read failed");
    CHECK(holds(memory + PAGE, sizeof in, 0, 3), "what was read did not arrive");
    CHECK(holds(origin, SIZE, 0, 2), "the original changed");
    return KEPT;
}

#define DISPOSSESS(name, call) \
    static int name##_it(unsigned char *memory) { return call; } \
    static int fixed_##name(void) { dispossess = name##_it; return in_child(fixed_buffer); }

DISPOSSESS(dump, madvise(memory, SIZE, MADV_DONTDUMP))
DISPOSSESS(lock, mlock(memory, SIZE))
DISPOSSESS(execute, mprotect(memory, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC))
DISPOSSESS(forkless, madvise(memory, SIZE, MADV_DONTFORK))
DISPOSSESS(overwrite, (memset(memory, 0, SIZE), paint(memory, SIZE, 2), 0))

/* liburing makes its calls without libc, and the ring takes the number of a file that libc closed without a hook. */
static int unseen_ring(void)
{
    FILE *file = fopen("/dev/null", "r");
    unsigned char *from = block(4), *to = malloc(SIZE), *other = malloc(SIZE);
    struct io_uring_params parameters = {0};
    long ring;

    memcpy(other, from, SIZE); /* the descriptors are looked at */
    from[5]++;
    fclose(file);
    ring = INSTRUCTION(SYS_io_uring_setup, 4, (long)&parameters);
    if (ring < 0) {
        printf("# no io_uring here\n");
        return SKIPPED;
    }
    memcpy(to, from, SIZE);
    CHECK(!shows_store(to, SIZE), "a copy was shared although there is a ring");
    return KEPT;
}

static int ring_behind_our_back(void)
{
    return in_child(unseen_ring);
}

static int open_device(void)
{
    unsigned char *from = block(5), *to = malloc(SIZE);
    int device = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

    if (device < 0) {
        printf("# no device to be opened: error %d\n", errno);
        return SKIPPED;
    }
    memcpy(to, from, SIZE);
    CHECK(!shows_store(from, SIZE), "pages were replaced that a driver may hold");
    CHECK(holds(to, SIZE, 0, 5), "the copy is wrong");
    return KEPT;
}

static int device(void)
{
    return in_child(open_device);
}

/* Frames of a socket of AF_XDP whose memory is copied from, copied into, and marked. */
struct frames {
    int socket, receiver;
    unsigned char *memory;
    struct xdp_desc *descriptors;
    _Atomic uint32_t *producer;
    uint32_t sent;
};

static int begin_frames(struct frames *frames)
{
    struct xdp_umem_reg registration = {.addr = (uintptr_t)frames->memory, .len = SIZE, .chunk_size = PAGE};
    struct sockaddr_xdp address = {.sxdp_family = AF_XDP, .sxdp_ifindex = if_nametoindex("lo"), .sxdp_flags = XDP_COPY};
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof offsets;
    int size = 64;
    char *ring;

    frames->socket = socket(AF_XDP, SOCK_RAW, 0);
    frames->receiver = socket(AF_PACKET, SOCK_RAW, htons(0x88b5));
    if (frames->socket < 0 || frames->receiver < 0 ||
        setsockopt(frames->socket, SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) != 0 ||
        setsockopt(frames->socket, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof size) != 0 ||
        setsockopt(frames->socket, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size, sizeof size) != 0 ||
        setsockopt(frames->socket, SOL_XDP, XDP_TX_RING, &size, sizeof size) != 0 ||
        getsockopt(frames->socket, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0)
        return -1;
    ring = mmap(NULL, offsets.tx.desc + 64 * sizeof(struct xdp_desc), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                frames->socket, XDP_PGOFF_TX_RING);
    if (ring == MAP_FAILED || bind(frames->socket, (const struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    frames->descriptors = (void *)(ring + offsets.tx.desc);
    frames->producer = (void *)(ring + offsets.tx.producer);
    return 0;
}

/* Sends a frame of the first chunk: the number that arrived, or -1. */
static int send_frame(struct frames *frames, unsigned char number)
{
    unsigned char *frame = frames->memory, got[256];
    struct xdp_desc *descriptor = &frames->descriptors[frames->sent++ & 63];

    memset(frame, 0xff, 12);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    memset(frame + 14, number, 100);
    *descriptor = (struct xdp_desc){.addr = 0, .len = 114};
    atomic_store(frames->producer, frames->sent);
    sendto(frames->socket, NULL, 0, MSG_DONTWAIT, NULL, 0);
    for (int i = 0; i < 1000; i++, usleep(1000))
        if (recv(frames->receiver, got, sizeof got, MSG_DONTWAIT) >= 114)
            return got[20];
    return -1;
}

static int send_frames(void)
{
    struct frames frames = {.memory = aligned_alloc(PAGE, SIZE)};
    unsigned char *other = block(6);

    paint(frames.memory, SIZE, 7);
    if (begin_frames(&frames) != 0) {
        printf("# no sockets of AF_XDP here: error %d\n", errno);
        return SKIPPED;
    }
    CHECK(send_frame(&frames, 1) == 1, "the first frame did not arrive");
    memcpy(other, frames.memory, SIZE);
    CHECK(send_frame(&frames, 2) == 2, "lost after a copy from it");
    memcpy(frames.memory, other, SIZE);
    CHECK(send_frame(&frames, 3) == 3, "lost after a copy into it");
    memset(frames.memory, 0, SIZE);
    CHECK(send_frame(&frames, 4) == 4, "lost after a fill");
    madvise(frames.memory, SIZE, MADV_DONTDUMP);
    CHECK(send_frame(&frames, 5) == 5, "lost after it was marked");
    return KEPT;
}

static int frames(void)
{
    return in_child(send_frames);
}

/* Memory that the program fills on demand. */
static unsigned char *paged;
static int pager;

static void *serve_pages(void *unused)
{
    static unsigned char page[PAGE] __attribute__((aligned(PAGE)));
    struct uffd_msg message;

    while (read(pager, &message, sizeof message) == sizeof message) {
        uintptr_t at = message.arg.pagefault.address & ~(uintptr_t)(PAGE - 1);
        struct uffdio_copy copy = {.dst = at, .src = (uintptr_t)page, .len = PAGE};

        paint(page, PAGE, (unsigned)((at - (uintptr_t)paged) / PAGE));
        ioctl(pager, UFFDIO_COPY, &copy);
    }
    return unused;
}

static int begin_pager(uint64_t features, uint64_t mode, unsigned char *memory)
{
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    struct uffdio_register range = {.range = {(uintptr_t)memory, SIZE}, .mode = mode};

    pager = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
    paged = memory;
    return pager < 0 || ioctl(pager, UFFDIO_API, &api) != 0 || ioctl(pager, UFFDIO_REGISTER, &range) != 0 ? -1 : 0;
}

static bool served(const unsigned char *memory)
{
    for (size_t page = 0; page < SIZE / PAGE; page++)
        if (!holds(memory + page * PAGE, PAGE, 0, (unsigned)page))
            return false;
    return true;
}

static int copy_paged(void)
{
    unsigned char *memory = aligned_alloc(PAGE, SIZE);
    unsigned char *to = aligned_alloc(PAGE, SIZE);
    pthread_t thread;

    paint(memory, SIZE, 1);
    madvise(memory, SIZE, MADV_DONTNEED);
    if (begin_pager(0, UFFDIO_REGISTER_MODE_MISSING, memory) != 0) {
        printf("# no userfaultfd here: error %d\n", errno);
        return SKIPPED;
    }
    pthread_create(&thread, NULL, serve_pages, NULL);
    memcpy(to, memory, SIZE);
    CHECK(served(to), "the copy has not what the pager has");
    madvise(memory, SIZE, MADV_DONTNEED);
    memset(memory, 0, SIZE);
    CHECK(zero(memory, SIZE), "memset(0) left pages to the pager");
    memcpy(memory, to, SIZE);
    madvise(memory, SIZE / 2, MADV_DONTNEED);
    CHECK(served(memory), "the pager is not asked any more");
    return KEPT;
}

static int demand(void)
{
    return in_child(copy_paged);
}

/* A write watch without a thread (UFFD_FEATURE_WP_ASYNC): the kernel notes which pages were written. */
static long pages_written(int pagemap, const unsigned char *memory)
{
    struct {
        uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, any, wanted;
    } scan = {.size = sizeof scan, .flags = 3, .start = (uintptr_t)memory, .end = (uintptr_t)memory + SIZE, .mask = 2, .wanted = 2};
    struct {
        uint64_t start, end, categories;
    } regions[SIZE / PAGE];
    long count, pages = 0;

    scan.vec = (uintptr_t)regions;
    scan.vec_len = SIZE / PAGE;
    count = ioctl(pagemap, _IOWR('f', 16, char[96]), &scan);
    for (long i = 0; i < count; i++)
        pages += (long)(regions[i].end - regions[i].start) / PAGE;
    return count < 0 ? -errno : pages;
}

static int watch_writes(void)
{
    unsigned char *memory = aligned_alloc(PAGE, SIZE);
    unsigned char *to = aligned_alloc(PAGE, SIZE);
    struct uffdio_writeprotect protect = {.range = {(uintptr_t)memory, SIZE}, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
    int pagemap = open("/proc/self/pagemap", O_RDONLY);

    paint(memory, SIZE, 1);
    if (begin_pager(1 << 15 | 1 << 13 | UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFDIO_REGISTER_MODE_WP, memory) != 0 ||
        ioctl(pager, UFFDIO_WRITEPROTECT, &protect) != 0) {
        printf("# no asynchronous write watch here: error %d\n", errno);
        return SKIPPED;
    }
    pages_written(pagemap, memory);
    memory[5 * PAGE]++;
    CHECK(pages_written(pagemap, memory) == 1, "the watch does not work");
    memcpy(to, memory, SIZE);
    CHECK(pages_written(pagemap, memory) == 0, "a copy from it is seen as a write");
    memory[7 * PAGE]++;
    memory[9 * PAGE]++;
    CHECK(pages_written(pagemap, memory) == 2, "writes after a copy are not seen");
    return KEPT;
}

static int watch(void)
{
    return in_child(watch_writes);
}

int main(void)
{
    static const struct story stories[] = {
        {"what io_uring receives during copies arrives", receive_alone},
        {"the same with another thread, and nobody waits for himself", receive_with_thread},
        {"a registered buffer stays where it is when its memory is marked not to be dumped", fixed_dump},
        {"when it is locked", fixed_lock},
        {"when it is made executable", fixed_execute},
        {"when children shall not have it", fixed_forkless},
        {"when it is overwritten", fixed_overwrite},
        {"a ring is noticed that was set up without libc at the number of a file that libc closed", ring_behind_our_back},
        {"no page is replaced once a driver may hold it", device},
        {"frames of AF_XDP leave as they were written", frames},
        {"memory that the program serves on demand is copied as served", demand},
        {"a write watch of the program's sees its writes and no copies", watch},
    };

    return tell_all(stories, COUNT_OF(stories));
}
