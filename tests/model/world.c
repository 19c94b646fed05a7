/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdlib.h>

#include "operation.h"
#include "oracle.h"
#include "slot.h"

struct limits limits = {8192, (size_t)2 << 20, 1};
_Atomic unsigned long operations;

static struct slot sources[SOURCES];

static const char *const names[OP_KINDS] = {"alloc",   "free",    "realloc", "copy",    "self", "overlap", "merge", "write", "fill",
                                            "madvise", "syscall", "usable",  "protect", "lock", "remap",   "fork",  "actor", "verify"};

const char *op_name(unsigned kind)
{
    return kind < OP_KINDS ? names[kind] : "?";
}

/* How often each kind comes, of 256. */
static unsigned char shares[OP_KINDS] = {
    [OP_ALLOC] = 30,  [OP_FREE] = 12,  [OP_REALLOC] = 14, [OP_COPY] = 78,   [OP_SELF] = 10,    [OP_OVERLAP] = 4,
    [OP_MERGE] = 6,   [OP_WRITE] = 46, [OP_FILL] = 16,    [OP_MADVISE] = 8, [OP_SYSCALL] = 10, [OP_USABLE] = 2,
    [OP_PROTECT] = 2, [OP_LOCK] = 1,   [OP_REMAP] = 2,    [OP_FORK] = 5,    [OP_VERIFY] = 10,
};

void world_set_actors(unsigned share)
{
    shares[OP_ACTOR] = (unsigned char)(share < shares[OP_WRITE] ? share : shares[OP_WRITE]);
    shares[OP_WRITE] = (unsigned char)(shares[OP_WRITE] - shares[OP_ACTOR]);
}

struct op op_random(uint64_t *state, unsigned thread)
{
    struct op op = {.thread = thread};
    unsigned pick = (unsigned)(oracle_random(state) % 256);

    while (op.kind < OP_VERIFY && pick >= shares[op.kind])
        pick -= shares[op.kind++];
    op.a = (unsigned)(oracle_random(state) % SLOTS);
    op.b = (unsigned)(oracle_random(state) % (SLOTS + (oracle_random(state) % 4 == 0 ? SOURCES : 0)));
    op.how = (unsigned)(oracle_random(state) >> 40);
    op.x = oracle_random(state) >> 16;
    op.y = oracle_random(state) >> 16;
    op.z = oracle_random(state) >> 16;
    op.seed = oracle_random(state) >> 16;
    return op;
}

/* What needs locks of the program's allocator, which another thread may have held when a raw clone was made. */
static bool needs_locks(unsigned kind)
{
    return kind == OP_ALLOC || kind == OP_FREE || kind == OP_REALLOC;
}

/* What needs a block in the slot, and finds one. */
static void run_on_block(struct world *world, struct slot *slot, const struct op *op)
{
    const struct slot *from = op->b < SLOTS ? &world->slot[op->b] : &sources[op->b - SLOTS];
    struct slot *other = &world->slot[op->b % SLOTS];

    switch (op->kind) {
    case OP_FREE:
        slot_check(world, slot, op->seed, "before free");
        run_free(slot);
        break;
    case OP_REALLOC:
        run_realloc(world, slot, op);
        break;
    case OP_COPY:
        if (from->block != NULL)
            run_copy(world, slot, from, op);
        break;
    case OP_SELF:
        run_copy(world, slot, slot, op);
        break;
    case OP_OVERLAP:
        run_overlap(world, slot, op);
        break;
    case OP_MERGE:
        if (from->block != NULL && from != slot)
            run_merge(world, slot, from, op);
        break;
    case OP_WRITE:
        run_write(slot, op);
        break;
    case OP_FILL:
        run_fill(world, slot, op);
        break;
    case OP_MADVISE:
        run_madvise(world, slot, op);
        break;
    case OP_SYSCALL:
        run_syscall(world, slot, op);
        break;
    case OP_USABLE:
        run_usable(world, slot);
        break;
    case OP_PROTECT:
        run_protect(world, slot, other, op);
        break;
    case OP_ACTOR:
        run_actor(world, slot, other, op);
        break;
    case OP_LOCK:
        run_lock(world, slot, other, op);
        break;
    default:
        run_remap(world, slot, other, op);
        break;
    }
}

static void look(struct world *world, const struct slot *slot, const struct op *op)
{
    if (op->seed % 4 == 0)
        world_verify(world);
    else
        slot_look_for_views(slot);
}

void op_run(struct world *world, const struct op *op)
{
    struct slot *slot = &world->slot[op->a];

    operations++;
    if (world->careful && needs_locks(op->kind))
        return;
    if (op->kind == OP_FORK)
        run_fork(world, op);
    else if (op->kind == OP_VERIFY)
        look(world, slot, op);
    else if (op->kind != OP_ALLOC && slot->block != NULL)
        run_on_block(world, slot, op);
    else if (!world->careful)
        run_alloc(world, slot, op);
}

void world_verify(struct world *world)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (world->slot[i].block != NULL)
            slot_compare(world, &world->slot[i], 0, world->slot[i].size, "verify");
    for (unsigned i = 0; i < SOURCES; i++)
        if (sources[i].block != NULL)
            slot_compare(world, &sources[i], 0, sources[i].size, "verify of a shared source");
}

void world_sources(uint64_t seed)
{
    struct world world = {.at = -1};

    for (unsigned i = 0; i < SOURCES; i++) {
        sources[i].size = limits.unit * (2 + 5 * i) + (i == 1 ? 123 : 0);
        slot_room(&world, &sources[i], sources[i].size);
        sources[i].block = calloc(1, sources[i].size);
        if (sources[i].block == NULL)
            fail(&world, "no memory");
        for (size_t at = 0; at < sources[i].size; at += PAGE * (1 + i))
            slot_write(&sources[i], at, sources[i].size - at < PAGE ? sources[i].size - at : PAGE, seed + at);
    }
}

void world_finish(struct world *world)
{
    for (int i = 0; i < 4; i++)
        world_reap(world, i);
    world_verify(world);
    for (unsigned i = 0; i < SLOTS; i++)
        if (world->slot[i].block != NULL)
            run_free(&world->slot[i]);
}
