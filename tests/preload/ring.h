/* SPDX-License-Identifier: MIT */
/* io_uring by its system calls: one ring, one request at a time. */
#ifndef COWSHIM_TESTS_PRELOAD_RING_H
#define COWSHIM_TESTS_PRELOAD_RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RING_BUFFER 0 /* the number of the registered one */

struct ring {
    int fd;
    struct io_uring_params parameters;
    char *submitted, *completed;
    struct io_uring_sqe *requests;
};

static inline void *ring_map(const struct ring *ring, size_t size, off_t what)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, what);
}

/* 0, or -1 and errno. */
static inline int ring_open(struct ring *ring)
{
    struct io_uring_params *p = &ring->parameters;

    *ring = (struct ring){.fd = -1};
    ring->fd = (int)syscall(SYS_io_uring_setup, 4, p);
    if (ring->fd < 0)
        return -1;
    ring->submitted = ring_map(ring, p->sq_off.array + p->sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    ring->completed = ring_map(ring, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    ring->requests = ring_map(ring, p->sq_entries * sizeof *ring->requests, IORING_OFF_SQES);
    return ring->submitted == MAP_FAILED || ring->completed == MAP_FAILED || (void *)ring->requests == MAP_FAILED ? -1 : 0;
}

static inline _Atomic unsigned *ring_word(char *ring, unsigned offset)
{
    return (_Atomic unsigned *)(void *)(ring + offset);
}

/* Puts a request into the ring and gives it to the kernel, which may not be through with it. 1, or -1 and errno. */
static inline int ring_submit(struct ring *ring, int operation, int fd, void *memory, size_t size, uint64_t offset)
{
    const struct io_sqring_offsets *at = &ring->parameters.sq_off;
    unsigned tail = atomic_load(ring_word(ring->submitted, at->tail));
    unsigned slot = tail & *ring_word(ring->submitted, at->ring_mask);

    ring->requests[slot] = (struct io_uring_sqe){
        .opcode = (uint8_t)operation, .fd = fd, .addr = (uintptr_t)memory, .len = (uint32_t)size, .off = offset, .buf_index = RING_BUFFER};
    *ring_word(ring->submitted, at->array + slot * (unsigned)sizeof slot) = slot;
    atomic_store(ring_word(ring->submitted, at->tail), tail + 1);
    return (int)syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0);
}

/* The result of the next request that is complete, as its system call would return it. */
static inline long ring_wait(struct ring *ring)
{
    const struct io_cqring_offsets *at = &ring->parameters.cq_off;
    unsigned head = atomic_load(ring_word(ring->completed, at->head));
    const struct io_uring_cqe *done;
    int result;

    while (atomic_load(ring_word(ring->completed, at->tail)) == head)
        if (syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR)
            return -1;
    done = (const void *)(ring->completed + at->cqes);
    result = done[head & *ring_word(ring->completed, at->ring_mask)].res;
    atomic_store(ring_word(ring->completed, at->head), head + 1);
    if (result < 0)
        errno = -result;
    return result < 0 ? -1 : result;
}

static inline long ring_do(struct ring *ring, int operation, int fd, void *memory, size_t size, uint64_t offset)
{
    return ring_submit(ring, operation, fd, memory, size, offset) < 0 ? -1 : ring_wait(ring);
}

static inline int ring_register(struct ring *ring, void *memory, size_t size)
{
    struct iovec buffer = {memory, size};

    return (int)syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_BUFFERS, &buffer, 1);
}

static inline int ring_unregister(struct ring *ring)
{
    return (int)syscall(SYS_io_uring_register, ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0);
}

#endif
