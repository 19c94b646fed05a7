/* SPDX-License-Identifier: MIT */
/* Those who hold or fill memory beside the program: rings, pagers, KSM, sockets and pipes that send without a copy, and policies of where pages lie.
   Each acts in a child: a process that once had one of them copies plainly from then on, and what it shared before is still there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../preload/ring.h"
#include "operation.h"
#include "oracle.h"
#include "slot.h"
#include "tests/support/patience.h"

#ifndef IORING_OP_RECV
#define IORING_OP_RECV 27
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
#define MERGE_ALL 67 /* PR_SET_MEMORY_MERGE */
#define LONGEST ((size_t)32 << 10)
#define MOST_SERVED ((size_t)1 << 20) /* each page takes two changes of thread */

/* Who acts on what: bytes of the slot, the whole pages around them, and another slot or NULL. */
struct scene {
    struct world *world;
    struct slot *slot, *other;
    const struct op *op;
    unsigned char *pages;
    size_t pages_size;
    size_t at, size;
    unsigned char message[LONGEST];
};

static bool begin(struct scene *scene)
{
    uintptr_t start = ((uintptr_t)scene->slot->block + PAGE - 1) & ~(PAGE - 1);
    uintptr_t end = ((uintptr_t)scene->slot->block + scene->slot->size) & ~(PAGE - 1);
    uint64_t seed = scene->op->seed;

    if (start >= end)
        return false;
    scene->pages = (unsigned char *)start;
    scene->pages_size = end - start;
    scene->at = start - (uintptr_t)scene->slot->block + scene->op->y % scene->pages_size;
    scene->size = 1 + scene->op->z % (end - (uintptr_t)scene->slot->block - scene->at);
    if (scene->size > LONGEST)
        scene->size = LONGEST;
    for (size_t i = 0; i < LONGEST; i++)
        scene->message[i] = (unsigned char)oracle_random(&seed);
    return true;
}

/* The other slot becomes what this one is, as far as it goes. */
static void copy_over(const struct scene *scene)
{
    struct slot *to = scene->other;
    size_t size;

    if (to == NULL)
        return;
    size = to->size < scene->slot->size ? to->size : scene->slot->size;
    memcpy(to->block, scene->slot->block, size);
    oracle_move(to->picture, scene->slot->picture, size);
}

/* What takes its contents out of a store, and changes none of them. */
static void dispossess(const struct scene *scene)
{
    switch (scene->op->x % 5) {
    case 0:
        madvise(scene->pages, scene->pages_size, MADV_DONTDUMP);
        break;
    case 1:
        mlock(scene->pages, scene->pages_size);
        break;
    case 2:
        mprotect(scene->pages, scene->pages_size, PROT_READ | PROT_WRITE | PROT_EXEC);
        break;
    case 3:
        madvise(scene->pages, scene->pages_size, MADV_DONTFORK);
        break;
    default:
        break;
    }
}

static void compare(const struct scene *scene, const char *what)
{
    slot_compare(scene->world, scene->slot, 0, scene->slot->size, what);
    if (scene->other != NULL)
        slot_compare(scene->world, scene->other, 0, scene->other->size, what);
}

/* A receive is under way while the memory around it is copied; what it brings may come at any moment, also inside of the copy. */
static void receive(struct scene *scene)
{
    struct slot *to = scene->other;
    bool early = scene->op->x / 5 % 2;
    struct ring ring;
    int ends[2];

    if (ring_open(&ring) != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0 ||
        ring_submit(&ring, IORING_OP_RECV, ends[0], scene->slot->block + scene->at, scene->size, 0) != 1)
        return;
    if (early && write(ends[1], scene->message, scene->size) != (ssize_t)scene->size)
        return;
    copy_over(scene);
    dispossess(scene);
    if (!early && write(ends[1], scene->message, scene->size) != (ssize_t)scene->size)
        return;
    if (ring_wait(&ring) != (long)scene->size)
        fail(scene->world, "a receive of %zu bytes failed: error %d", scene->size, errno);
    oracle_move(scene->slot->picture + scene->at, scene->message, scene->size);
    if (early && to != NULL && scene->at < to->size)
        slot_take_over(to, scene->at, scene->at + scene->size < to->size ? scene->at + scene->size : to->size);
    compare(scene, "a ring received");
}

/* Into memory that was registered with the ring. */
static void read_fixed(struct scene *scene)
{
    int file = (int)syscall(SYS_memfd_create, "model", 1);
    struct ring ring;

    if (ring_open(&ring) != 0 || ring_register(&ring, scene->pages, scene->pages_size) != 0 ||
        pwrite(file, scene->message, scene->size, 0) != (ssize_t)scene->size)
        return;
    dispossess(scene);
    copy_over(scene);
    if (scene->other != NULL && scene->op->x / 5 % 2) { /* into it as well */
        size_t size = scene->other->size < scene->slot->size ? scene->other->size : scene->slot->size;

        memcpy(scene->slot->block, scene->other->block, size);
    }
    if (ring_do(&ring, IORING_OP_READ_FIXED, file, scene->slot->block + scene->at, scene->size, 0) != (long)scene->size)
        fail(scene->world, "a read of %zu bytes into a registered buffer failed: error %d", scene->size, errno);
    oracle_move(scene->slot->picture + scene->at, scene->message, scene->size);
    compare(scene, "a ring read into a registered buffer");
}

/* A pager that has the same page everywhere. */
static int pager;
static unsigned char served[PAGE] __attribute__((aligned(PAGE)));

static void *serve(void *unused)
{
    struct uffd_msg message;

    while (read(pager, &message, sizeof message) == sizeof message) {
        struct uffdio_copy copy = {.dst = message.arg.pagefault.address & ~(PAGE - 1), .src = (uintptr_t)served, .len = PAGE};

        ioctl(pager, UFFDIO_COPY, &copy);
    }
    return unused;
}

static void page_in(struct scene *scene)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register range = {.range = {(uintptr_t)scene->pages, scene->pages_size}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    size_t page = (size_t)((uintptr_t)scene->slot->block + scene->at - (uintptr_t)scene->pages) / PAGE * PAGE;
    size_t at = (size_t)(scene->pages - scene->slot->block) + page, end;
    pthread_t thread;

    oracle_move(served, scene->message, PAGE);
    for (size_t i = 0; i < scene->pages_size; i += PAGE) /* what is not there is the pager's to fill */
        (void)*(volatile unsigned char *)(scene->pages + i);
    pager = (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1);
    if (pager < 0 || ioctl(pager, UFFDIO_API, &api) != 0 || ioctl(pager, UFFDIO_REGISTER, &range) != 0 ||
        pthread_create(&thread, NULL, serve, NULL) != 0)
        return;
    slot_compare(scene->world, scene->slot, 0, scene->slot->size, "handed to a pager");
    end = scene->pages_size - page < MOST_SERVED ? scene->pages_size : page + MOST_SERVED;
    if (madvise(scene->pages + page, end - page, MADV_DONTNEED) != 0)
        fail(scene->world, "memory under a pager cannot be discarded: error %d", errno);
    for (; page < end; page += PAGE, at += PAGE)
        oracle_move(scene->slot->picture + at, served, PAGE);
    copy_over(scene);
    compare(scene, "served by a pager");
    world_verify(scene->world);
    _exit(0); /* memory that is freed and given out anew would have the pager's pages */
}

static void place(struct scene *scene)
{
    unsigned long nodes = 1;
    int mode = MPOL_DEFAULT;

    if (syscall(SYS_mbind, scene->pages, scene->pages_size, MPOL_PREFERRED, &nodes, 64, 0) != 0)
        return;
    copy_over(scene);
    if (scene->other != NULL)
        run_copy(scene->world, scene->slot, scene->other, scene->op);
    if (syscall(SYS_get_mempolicy, &mode, NULL, 0, scene->pages, MPOL_F_ADDR) != 0 || mode != MPOL_PREFERRED)
        fail(scene->world, "where pages shall lie is forgotten: %d", mode);
    compare(scene, "placed");
}

static int connect_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0 || connect(ends[0], (struct sockaddr *)&address, length) != 0)
        return -1;
    ends[1] = accept(listener, NULL, NULL);
    close(listener);
    return setsockopt(ends[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on);
}

static void arrived(const struct scene *scene, int from)
{
    unsigned char got[LONGEST];
    size_t size = 0;
    ssize_t part = 1;

    for (; size < scene->size && part > 0; size += (size_t)part) {
        part = read(from, got + size, scene->size - size);
        if (part <= 0)
            fail(scene->world, "%zu of %zu bytes arrived: error %d", size, scene->size, errno);
    }
    if (oracle_differ(got, scene->message, scene->size) != scene->size)
        fail(scene->world, "what was sent in place did not arrive");
}

/* A pipe has the pages until it is read, and no memory shows them any more. */
static void splice_out(struct scene *scene)
{
    struct iovec bytes = {scene->pages, scene->pages_size < LONGEST ? scene->pages_size : LONGEST};
    size_t at = (size_t)(scene->pages - scene->slot->block);
    int ends[2];

    if (scene->op->x / 10 % 2)
        copy_over(scene);
    if (pipe(ends) != 0 || vmsplice(ends[1], &bytes, 1, SPLICE_F_NONBLOCK) != (ssize_t)bytes.iov_len)
        return;
    scene->size = bytes.iov_len;
    oracle_move(scene->message, scene->slot->picture + at, scene->size);
    copy_over(scene);
    if (scene->other != NULL)
        slot_write(scene->other, 0, scene->other->size, scene->op->seed);
    if (madvise(scene->pages, scene->size, MADV_DONTNEED) != 0)
        fail(scene->world, "what was spliced cannot be discarded: error %d", errno);
    oracle_fill(scene->slot->picture + at, 0, scene->size);
    explicit_bzero(scene->slot->block + at, scene->size); /* so that it does not live on in a store */
    arrived(scene, ends[0]);
    compare(scene, "spliced into a pipe");
}

/* The socket has the pages until the other end has read them. */
static void send_in_place(struct scene *scene)
{
    int ends[2];

    oracle_move(scene->message, scene->slot->picture + scene->at, scene->size);
    if (connect_pair(ends) != 0 || send(ends[0], scene->slot->block + scene->at, scene->size, MSG_ZEROCOPY) != (ssize_t)scene->size)
        return;
    copy_over(scene);
    if (scene->other != NULL)
        slot_write(scene->other, 0, scene->other->size, scene->op->seed);
    dispossess(scene);
    arrived(scene, ends[1]);
    compare(scene, "sent in place");
}

static void live_on(struct world *world, const struct op *op)
{
    uint64_t state = op->seed;

    for (unsigned n = op->x % 16; n > 0; n--) {
        struct op next = op_random(&state, world->thread);

        op_run(world, &next);
    }
    world_verify(world);
    _exit(0);
}

static void act(struct scene *scene)
{
    struct world *world = scene->world;

    alarm(patience(300)); /* blocks of 48 MiB are compared byte by byte */
    for (int i = 0; i < 4; i++)
        world->children[i] = 0;
    world->depth = 2; /* no more processes */
    switch (scene->op->how % 6) {
    case 0:
        receive(scene);
        break;
    case 1:
        read_fixed(scene);
        break;
    case 2:
        page_in(scene);
        break;
    case 3:
        prctl(MERGE_ALL, 1, 0, 0, 0);
        break;
    case 4:
        place(scene);
        break;
    default:
        (scene->op->x / 5 % 2 ? splice_out : send_in_place)(scene);
        break;
    }
    live_on(world, scene->op);
}

void run_actor(struct world *world, struct slot *slot, struct slot *other, const struct op *op)
{
    struct scene scene = {.world = world, .slot = slot, .other = other == slot || other->block == NULL ? NULL : other, .op = op};
    int status = 0;
    pid_t child;

    if (world->depth >= 2 || world->careful || !begin(&scene))
        return;
    child = fork();
    if (child == 0)
        act(&scene);
    while (child < 0 || waitpid(child, &status, 0) < 0)
        if (child < 0 || errno != EINTR)
            fail(world, "actor: %s", strerror(errno));
    if (status != 0)
        fail(world, "actor %u ended with status 0x%x", op->how % 6, (unsigned)status);
}
