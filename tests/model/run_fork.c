/* SPDX-License-Identifier: MIT */
/* Processes that go on with what they inherited. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "operation.h"
#include "oracle.h"
#include "slot.h"

void world_reap(struct world *world, int i)
{
    int status = 0;

    if (world->children[i] == 0)
        return;
    while (waitpid(world->children[i], &status, __WALL) < 0)
        if (errno != EINTR)
            fail(world, "waitpid: %s", strerror(errno));
    if (status != 0)
        fail(world, "child of the operation above ended with status 0x%x", status);
    world->children[i] = 0;
}

static void live_in_child(struct world *world, const struct op *op, bool careful)
{
    uint64_t state = op->seed;

    for (int i = 0; i < 4; i++)
        world->children[i] = 0;
    world->depth++;
    world->careful = world->careful || careful;
    for (unsigned n = op->x % 12; n > 0; n--) {
        struct op next = op_random(&state, world->thread);

        op_run(world, &next);
    }
    world_verify(world);
    for (int i = 0; i < 4; i++)
        world_reap(world, i);
    _exit(0);
}

/* In a vfork child our memory and the parent's are one: what is done here is done there. */
static void live_in_vfork(struct world *world, const struct op *op)
{
    uint64_t state = op->seed;

    for (unsigned n = op->x % 5; n > 0; n--) {
        struct op next = op_random(&state, world->thread);

        if (next.kind >= OP_COPY && next.kind <= OP_SYSCALL && world->slot[next.a].block != NULL)
            op_run(world, &next);
    }
    _exit(0);
}

/* A fork that nothing stands in front of. */
static pid_t clone_by_instruction(void)
{
#ifdef __x86_64__
    register long parent __asm__("rdx") = 0;
    register long child __asm__("r10") = 0;
    register long tls __asm__("r8") = 0;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((long)SYS_clone), "D"((long)SIGCHLD), "S"(0L), "r"(parent), "r"(child), "r"(tls)
                     : "rcx", "r11", "memory");
    return (pid_t)result;
#else
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

static pid_t fork_by(unsigned how)
{
    switch (how) {
    case 2:
        return _Fork();
    case 3:
        return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    case 4:
        return clone_by_instruction();
    default:
        return fork();
    }
}

#define VFORK 5

void run_fork(struct world *world, const struct op *op)
{
    int i = (int)(op->y % 4);
    volatile unsigned how = op->how % 6; /* volatile: kept over vfork */
    pid_t pid;

    if (world->depth >= 2)
        return;
    if (world->careful && how < 2)
        how += 2; /* fork() takes the allocator's locks */
    world_reap(world, i);
    pid = how == VFORK ? vfork() : fork_by(how);
    if (pid < 0)
        fail(world, "fork %u: %s", how, strerror(errno));
    if (pid == 0 && how == VFORK)
        live_in_vfork(world, op);
    if (pid == 0)
        live_in_child(world, op, limits.threads > 1 && how >= 2);
    world->children[i] = pid;
    if (how == VFORK)
        world_reap(world, i);
}
