/* SPDX-License-Identifier: MIT */
/* Memory that a ring holds: no byte is lost to it, and it finds the pages where they were. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "held.h"
#include "instruction.h"
#include "ring.h"
#include "tests/support/patience.h"

#ifndef IORING_OP_RECV
#define IORING_OP_RECV 27
#endif

#define MESSAGE 4096

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
    for (int round = 1; round <= rounds(60); round++) {
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
    CHECK(lost == 0, "%d bytes of %d receives were lost", lost, rounds(60));
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
    alarm((unsigned)rounds((int)patience(60))); /* a thread that waits for itself never ends */
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
    static int name##_it(unsigned char *memory) \
    { \
        return call; \
    } \
    static int fixed_##name(void) \
    { \
        dispossess = name##_it; \
        return in_child(fixed_buffer); \
    }

DISPOSSESS(dump, madvise(memory, SIZE, MADV_DONTDUMP))
DISPOSSESS(lock, mlock(memory, SIZE))
DISPOSSESS(execute, mprotect(memory, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC))
DISPOSSESS(forkless, madvise(memory, SIZE, MADV_DONTFORK))
DISPOSSESS(overwrite, (memset(memory, 0, SIZE), paint(memory, SIZE, 2), 0))

/* While there is a ring what is marked keeps its pages, and what is discarded later keeps its marks. */
static int mark_and_discard(unsigned char *from, unsigned char *to)
{
    struct ring ring;
    pid_t child;
    int status;

    paint(from, SIZE, 5);
    memcpy(to, from, SIZE);
    if (ring_open(&ring) != 0) {
        printf("# no io_uring here\n");
        return SKIPPED;
    }
    alarm(patience(60)); /* that a view reaches beyond what is marked is no reason to go on for ever */
    CHECK(madvise(to, SIZE / 2, MADV_DONTDUMP) == 0 && holds(to, SIZE, 0, 5), "the contents changed");
    CHECK(madvise(to, SIZE, MADV_DONTFORK) == 0 && holds(to, SIZE, 0, 5), "the contents changed");
    CHECK(madvise(to, SIZE, MADV_DONTNEED) == 0 && zero(to, SIZE), "discarded memory is not zero");
    child = fork();
    if (child == 0)
        _exit(*(volatile unsigned char *)to);
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status), "a child has memory that it was not to have");
    CHECK(holds(from, SIZE, 0, 5), "the original changed");
    return KEPT;
}

static int discard_block(void)
{
    return mark_and_discard(aligned_alloc(PAGE, SIZE), aligned_alloc(PAGE, SIZE));
}

static void *map_some(void)
{
    return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int discard_mapping(void)
{
    return mark_and_discard(map_some(), map_some());
}

static int discard_marked_block(void)
{
    return in_child(discard_block);
}

static int discard_marked_mapping(void)
{
    return in_child(discard_mapping);
}

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

static unsigned long locked_memory(void)
{
    unsigned long size = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        sscanf(line, "VmLck: %lu", &size);
    if (status != NULL)
        fclose(status);
    return size;
}

static int lock_all(void)
{
    unsigned char *from = block(5), *to = malloc(SIZE);
    unsigned long locked;

    memcpy(to, from, SIZE);
    if (mlockall(MCL_CURRENT) != 0) {
        printf("# not all memory can be locked here\n");
        return SKIPPED;
    }
    locked = locked_memory();
    CHECK(holds(from, SIZE, 0, 5) && holds(to, SIZE, 0, 5), "the contents changed");
    memset(to, 1, SIZE);
    memcpy(from, to, SIZE);
    CHECK(locked_memory() >= locked, "of %lu KiB that were locked %lu are", locked, locked_memory());
    CHECK(munlockall() == 0, "munlockall: error %d", errno);
    memcpy(to, from, SIZE);
    CHECK(shows_store(to, SIZE), "a copy is not shared when all is unlocked");
    return KEPT;
}

static int all_locked(void)
{
    return in_child(lock_all);
}

static int grow_copy(void)
{
    unsigned char *from = aligned_alloc(PAGE, SIZE), *to = aligned_alloc(PAGE, SIZE), *moved;

    paint(from, SIZE, 8);
    memcpy(to, from, SIZE);
    moved = mremap(to, SIZE, SIZE + 64 * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED, "mremap: error %d", errno);
    CHECK(holds(moved, SIZE, 0, 8) && zero(moved + SIZE, 64 * PAGE) && holds(from, SIZE, 0, 8), "what was moved is wrong");
    memset(moved, 3, SIZE);
    CHECK(holds(from, SIZE, 0, 8), "the original changed");
    return KEPT;
}

/* In a child: the allocator does not know that its memory is elsewhere. */
static int copy_grown(void)
{
    return in_child(grow_copy);
}

static int name_tracer(void)
{
    unsigned char *from = block(9), *to = malloc(SIZE);

    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* refused where Yama is missing */
    memcpy(to, from, SIZE);
    CHECK(!shows_store(to, SIZE) && holds(to, SIZE, 0, 9), "a copy was shared although another process may be writing");
    return KEPT;
}

static int tracer_named(void)
{
    return in_child(name_tracer);
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
        {"what was marked beside a ring is zero when it is discarded, and stays marked", discard_marked_block},
        {"the same for a mapping of the program's", discard_marked_mapping},
        {"what mlockall() locked stays locked when it is overwritten", all_locked},
        {"a copy in a block of the allocator's is moved and grown by mremap()", copy_grown},
        {"no copy is shared once the program lets others write to its memory", tracer_named},
        {"a ring is noticed that was set up without libc at the number of a file that libc closed", ring_behind_our_back},
    };

    return tell_all(stories, COUNT_OF(stories));
}
