/* SPDX-License-Identifier: MIT */
/* The state of a simulation: the blocks of the program, and of their sampled pages who holds the same content by way of copies. */
#ifndef COWSHIM_COMMAND_WORLD_H
#define COWSHIM_COMMAND_WORLD_H

#include "engine/policy/policy.h"
#include "command/trail/simulate.h"

#define WORLD_SITES 1024

/* One content of a page, seen by all cells that hold it. */
struct version {
    uint32_t holders;
    uint32_t copies; /* of these, made by a copy; counted when it is asked who saved what */
    double weight;   /* bytes that this page stands for */
    bool stored;     /* it would be in a store */
};

/* A sampled page of a block. */
struct cell {
    uint32_t page, hash;
    uint32_t made_by; /* the step of the copy that wrote it, or NO_BLOCK */
    bool changed;     /* since then */
    struct version *version;
};

struct block {
    struct cell *cells; /* by page */
    uint32_t count;
    uint32_t site;    /* of the shared copy that is in it, or 0; see struct block of the engine */
    unsigned changes; /* likewise */
    bool measured;
};

struct world {
    const struct trail *trail;
    struct simulation *out;
    enum config_policy policy;
    struct block **blocks; /* by step */
    struct record records[WORLD_SITES];
    double saving; /* now */
    uint32_t *late; /* steps with changes, by the step after which they take place */
    uint32_t *late_first;
    struct point *points;
    uint32_t point_count, peak_step;
    bool attributing; /* only to see who saves what at the peak: fates are known from the walk before */
    bool failed;
};

/* What the process has before a step, and what it would have. */
void world_measure(struct world *world, uint32_t step);
void world_happen(struct world *world, uint32_t step);
/* The program is over: every copy that is left comes to its end. */
void world_end(struct world *world);

#endif
