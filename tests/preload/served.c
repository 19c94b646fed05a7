/* SPDX-License-Identifier: MIT */
/* Memory that a device holds or a pager serves: pages stay where they are, and each of the two sees what it would see. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_xdp.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "held.h"

#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0)
#endif
#ifndef AF_XDP
#define AF_XDP 44
#define SOL_XDP 283
#endif

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

/* At once after the descriptors were looked at, which takes longer than copies of so little. */
static int open_device_at_once(void)
{
    static const size_t size = 16 * PAGE;
    unsigned char *from = aligned_alloc(PAGE, size), *first = aligned_alloc(PAGE, size), *second = aligned_alloc(PAGE, size);
    int device;

    paint(from, size, 6);
    memcpy(first, from, size);
    device = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    memcpy(second, from, size);
    if (device < 0) {
        printf("# no device to be opened: error %d\n", errno);
        return SKIPPED;
    }
    CHECK(!shows_store(second, size), "a device that was just opened is not noticed");
    return KEPT;
}

static int device_at_once(void)
{
    return in_child(open_device_at_once);
}

/* Where the pages of the memory are, as a device knows them. False: only root is told. */
static bool frames_of(const unsigned char *memory, uint64_t *frames)
{
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    ssize_t got = pread(pagemap, frames, SIZE / PAGE * sizeof *frames, (off_t)((uintptr_t)memory / PAGE * sizeof *frames));

    close(pagemap);
    for (size_t i = 0; i < SIZE / PAGE; i++)
        frames[i] &= ((uint64_t)1 << 55) - 1;
    return got == (ssize_t)(SIZE / PAGE * sizeof *frames) && frames[0] != 0;
}

/* The kernel itself may move a few. */
static bool stay(const unsigned char *memory, const uint64_t *frames)
{
    static uint64_t now[SIZE / PAGE];
    size_t moved = 0;

    frames_of(memory, now);
    for (size_t i = 0; i < SIZE / PAGE; i++)
        moved += now[i] != frames[i];
    return moved < SIZE / PAGE / 16;
}

/* A block of its own, and one that showed a store before it was written: a device was told of both. */
static int use_told_memory(void)
{
    static uint64_t own[SIZE / PAGE], written[SIZE / PAGE];
    unsigned char *memory = aligned_alloc(PAGE, SIZE), *from = aligned_alloc(PAGE, SIZE), *view = aligned_alloc(PAGE, SIZE);
    unsigned char *before = malloc(SIZE);

    paint(memory, SIZE, 1);
    paint(from, SIZE, 2);
    memcpy(view, from, SIZE);
    memcpy(before, from, SIZE);
    paint(view, SIZE, 3);
    if (open("/dev/loop-control", O_RDWR | O_CLOEXEC) < 0 || !frames_of(memory, own) || !frames_of(view, written)) {
        printf("# no device to be opened, or nobody says where pages are: error %d\n", errno);
        return SKIPPED;
    }
    memcpy(from, memory, SIZE);
    memcpy(view, memory, SIZE);
    memset(view, 0, SIZE);
    memcpy(memory, view, SIZE);
    madvise(memory, SIZE, MADV_DONTDUMP);
    madvise(view, SIZE, MADV_DONTDUMP);
    mprotect(view, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
    CHECK(stay(memory, own), "pages of a block were replaced");
    CHECK(stay(view, written), "pages were replaced of a block that showed a store before");
    CHECK(zero(memory, SIZE) && zero(view, SIZE) && holds(from, SIZE, 0, 1), "the contents are wrong");
    CHECK(shows_store(before, SIZE) && holds(before, SIZE, 0, 2), "what was shared before is not any more");
    return KEPT;
}

static int told_memory(void)
{
    return in_child(use_told_memory);
}

/* Frames of a socket of AF_XDP whose memory is copied from, copied into, and marked. */
struct frames {
    int socket, receiver;
    unsigned char *memory;
    struct xdp_desc *descriptors;
    _Atomic uint32_t *producer;
    _Atomic uint32_t *completed, *taken; /* of those that the kernel is through with */
    uint32_t sent;
};

static int begin_frames(struct frames *frames)
{
    struct xdp_umem_reg registration = {.addr = (uintptr_t)frames->memory, .len = SIZE, .chunk_size = PAGE};
    struct sockaddr_xdp address = {.sxdp_family = AF_XDP, .sxdp_ifindex = if_nametoindex("lo"), .sxdp_flags = XDP_COPY};
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof offsets;
    int size = 64;
    char *ring, *done;

    frames->socket = socket(AF_XDP, SOCK_RAW, 0);
    frames->receiver = socket(AF_PACKET, SOCK_RAW, htons(0x88b5));
    if (frames->socket < 0 || frames->receiver < 0 ||
        setsockopt(frames->socket, SOL_XDP, XDP_UMEM_REG, &registration, sizeof registration) != 0 ||
        setsockopt(frames->socket, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof size) != 0 ||
        setsockopt(frames->socket, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size, sizeof size) != 0 ||
        setsockopt(frames->socket, SOL_XDP, XDP_TX_RING, &size, sizeof size) != 0 ||
        getsockopt(frames->socket, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length) != 0)
        return -1;
    ring = mmap(NULL, offsets.tx.desc + 64 * sizeof(struct xdp_desc), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, frames->socket,
                XDP_PGOFF_TX_RING);
    done = mmap(NULL, offsets.cr.desc + 64 * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, frames->socket,
                XDP_UMEM_PGOFF_COMPLETION_RING);
    if (ring == MAP_FAILED || done == MAP_FAILED || bind(frames->socket, (const struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    frames->descriptors = (void *)(ring + offsets.tx.desc);
    frames->producer = (void *)(ring + offsets.tx.producer);
    frames->completed = (void *)(done + offsets.cr.producer);
    frames->taken = (void *)(done + offsets.cr.consumer);
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
    atomic_store(frames->taken, atomic_load(frames->completed));
    for (int i = 0; i < 1000; i++, usleep(1000))
        if (recv(frames->receiver, got, sizeof got, MSG_DONTWAIT) >= 114)
            return got[20];
    return -1;
}

static int send_round(struct frames *frames, unsigned char *other, int round)
{
    unsigned char first = (unsigned char)(round % 50 * 5 + 1);

    CHECK(send_frame(frames, first) == first, "the first frame did not arrive");
    memcpy(other, frames->memory, SIZE);
    CHECK(send_frame(frames, first + 1) == first + 1, "lost after a copy from it");
    memcpy(frames->memory, other, SIZE);
    CHECK(send_frame(frames, first + 2) == first + 2, "lost after a copy into it");
    memset(frames->memory, 0, SIZE);
    CHECK(send_frame(frames, first + 3) == first + 3, "lost after a fill");
    madvise(frames->memory, SIZE, round % 2 == 0 ? MADV_DONTDUMP : MADV_DODUMP);
    CHECK(send_frame(frames, first + 4) == first + 4, "lost after it was marked");
    return KEPT;
}

static int send_frames(void)
{
    struct frames frames = {.memory = aligned_alloc(PAGE, SIZE)};
    unsigned char *other = block(6);
    int result = KEPT;

    memcpy(frames.memory, other, SIZE); /* it shows a store when the kernel is told of it */
    if (begin_frames(&frames) != 0) {
        printf("# no sockets of AF_XDP here: error %d\n", errno);
        return SKIPPED;
    }
    for (int round = 0; round < rounds(1) && result == KEPT; round++)
        result = send_round(&frames, other, round);
    return result;
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

/* The other way to get one: access to the device is all that it takes. */
static bool by_device;

static int open_pager(void)
{
    if (!by_device)
        return (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
    return ioctl(open("/dev/userfaultfd", O_RDWR | O_CLOEXEC), USERFAULTFD_IOC_NEW, O_CLOEXEC);
}

static int begin_pager(uint64_t features, uint64_t mode, unsigned char *memory)
{
    struct uffdio_api api = {.api = UFFD_API, .features = features};
    struct uffdio_register range = {.range = {(uintptr_t)memory, SIZE}, .mode = mode};

    pager = open_pager();
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

/* The program hands a copy that shows a store to a pager. */
static int serve_copy(void)
{
    unsigned char *from = aligned_alloc(PAGE, SIZE);
    unsigned char *to = aligned_alloc(PAGE, SIZE);
    pthread_t thread;

    paint(from, SIZE, 1);
    memcpy(to, from, SIZE);
    if (begin_pager(0, UFFDIO_REGISTER_MODE_MISSING, to) != 0) {
        printf("# no userfaultfd here: error %d\n", errno);
        return SKIPPED;
    }
    CHECK(holds(to, SIZE, 0, 1), "the contents changed");
    pthread_create(&thread, NULL, serve_pages, NULL);
    madvise(to, SIZE, MADV_DONTNEED);
    CHECK(served(to), "what was discarded is not asked of the pager");
    CHECK(holds(from, SIZE, 0, 1), "the original changed");
    return KEPT;
}

static int demand_for_copy(void)
{
    return in_child(serve_copy);
}

static int demand_by_device(void)
{
    int result;

    by_device = true;
    result = in_child(serve_copy);
    by_device = false;
    return result;
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

/* The marks of a watch lie where pages of a store were never read: they must not be taken for pages of its own. */
static int watch_copy(void)
{
    unsigned char *from = aligned_alloc(PAGE, SIZE);
    unsigned char *to = aligned_alloc(PAGE, SIZE);
    struct uffdio_writeprotect protect = {.range = {(uintptr_t)to, SIZE}, .mode = UFFDIO_WRITEPROTECT_MODE_WP};

    paint(from, SIZE, 2);
    memcpy(to, from, SIZE);
    if (begin_pager(1 << 15 | 1 << 13 | UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM, UFFDIO_REGISTER_MODE_WP, to) !=
            0 ||
        ioctl(pager, UFFDIO_WRITEPROTECT, &protect) != 0) {
        printf("# no asynchronous write watch here: error %d\n", errno);
        return SKIPPED;
    }
    paint(from, SIZE, 3);
    for (int i = 0; i < 20; i++) { /* what nobody sees any more is given back meanwhile */
        unsigned char *some = block(4), *other = malloc(SIZE);

        memcpy(other, some, SIZE);
        free(some);
        free(other);
    }
    CHECK(holds(to, SIZE, 0, 2), "a copy that is watched lost its contents");
    return KEPT;
}

static int watch_of_copy(void)
{
    return in_child(watch_copy);
}

int main(void)
{
    static const struct story stories[] = {
        {"no page is replaced once a driver may hold it", device},
        {"nor when it was opened a moment ago", device_at_once},
        {"no page moves that a driver was told of, and what was shared before stays shared", told_memory},
        {"frames of AF_XDP leave as they were written", frames},
        {"memory that the program serves on demand is copied as served", demand},
        {"a copy that is handed to a pager is what that says", demand_for_copy},
        {"the same where the pager comes from /dev/userfaultfd", demand_by_device},
        {"a copy that is watched keeps its contents", watch_of_copy},
        {"a write watch of the program's sees its writes and no copies", watch},
    };

    return tell_all(stories, COUNT_OF(stories));
}
