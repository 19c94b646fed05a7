/* SPDX-License-Identifier: MIT */
/* The model: slots that hold a block of the program's and the oracle's picture of it, and the operations on them. An operation is
   data: its numbers are reduced by what is there when it runs, so that any part of a list of operations is a list too. */
#ifndef COWSHIM_TESTS_WORLD_H
#define COWSHIM_TESTS_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SLOTS 12  /* of each thread */
#define SOURCES 4 /* read-only blocks that all threads copy from */
#define MAX_THREADS 8
#define PAGE ((size_t)4096)

enum kind {
    OP_ALLOC,
    OP_FREE,
    OP_REALLOC,
    OP_COPY,
    OP_SELF,
    OP_OVERLAP,
    OP_MERGE,
    OP_WRITE,
    OP_FILL,
    OP_MADVISE,
    OP_SYSCALL,
    OP_USABLE,
    OP_PROTECT,
    OP_LOCK,
    OP_REMAP,
    OP_FORK,
    OP_ACTOR,
    OP_VERIFY,
    OP_KINDS
};

struct op {
    unsigned thread, kind;
    unsigned a, b, how;
    uint64_t x, y, z, seed;
};

struct slot {
    unsigned char *block, *picture;
    size_t size, room; /* room: of the picture */
};

struct world {
    unsigned thread;
    struct slot slot[SLOTS];
    long at;      /* the operation under way, for messages */
    int depth;    /* forks above us */
    bool careful; /* a child that may not allocate */
    pid_t children[4];
};

struct limits {
    size_t unit, largest; /* sizes of blocks; unit is about COWSHIM_MIN_SIZE */
    unsigned threads;
};

extern struct limits limits;
extern _Atomic unsigned long views_seen;  /* samples of blocks in which a store was mapped */
extern _Atomic unsigned long copies_made; /* copies of at least limits.unit */
extern _Atomic unsigned long operations;

void world_sources(uint64_t seed);
/* How often somebody else acts (run_actor.c), of 256 operations. */
void world_set_actors(unsigned share);
struct op op_random(uint64_t *state, unsigned thread);
const char *op_name(unsigned kind);
void op_run(struct world *world, const struct op *op);
/* Everything, and the children's results; also frees all when asked. */
void world_finish(struct world *world);
void world_verify(struct world *world);

/* Says what differed and ends the process with status 1. */
void fail(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
