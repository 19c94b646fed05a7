/* SPDX-License-Identifier: MIT */
/* The state of a simulation: the blocks of the program, and of their sampled pages who holds the same content by way of copies. */
#ifndef COWSHIM_COMMAND_WORLD_H
#define COWSHIM_COMMAND_WORLD_H

#include "engine/policy/policy.h"
#include "command/trail/simulate.h"

/* One content of a page, seen by all that hold it. The first of them, who has held it longest, is the one whom it costs memory: the
   others save what they stand for, which differs, since a large copy and the small ones that filled its source are not sampled
   equally densely. */
struct version {
    struct holder *first, *last;
    bool stored; /* it would be in a store */
};

struct holder {
    struct version *version;
    struct holder *earlier, *later;
    double weight; /* bytes that its page stands for, in its own block */
};

/* A sampled page of a block. */
struct world_cell {
    uint32_t page, hash;
    uint32_t made_by; /* the step of the copy that wrote it, or NO_BLOCK */
    bool changed;     /* since then */
    bool unwatched;   /* what becomes of it is what becomes of the one before it that is watched */
    struct holder *holder;
};

/* A shared copy whose fate is not known yet; see struct trace of the engine. */
struct past {
    uint32_t first, pages; /* 0 pages: none */
    uint64_t shared;       /* slices */
    struct origin place;
    int64_t native;
    bool known;
};

struct world_block {
    struct world_cell *cells; /* by page */
    uint32_t count;
    struct past made, given; /* the last shared copy into it, and of it */
    size_t copied_pages;     /* of short runs, which were copied again and again, since all was sealed */
};

struct remain;

struct world {
    const struct trail *trail;
    struct simulation *out;
    enum config_policy policy;
    struct world_block **blocks; /* by step */
    struct policy shim;          /* what the shim would have learned */
    struct costs costs;
    double saving;                    /* now */
    struct remain *remains;           /* what malloc keeps of freed blocks */
    uint64_t heap_end;                /* when memory was last measured */
    const struct trail_block *unused; /* the block that was added last, while nothing is in it */
    uint32_t *late;                   /* steps with changes, by the step after which they take place */
    uint32_t *late_first;
    struct point *points;
    uint32_t point_count, peak_step;
    bool attributing; /* only to see who saves what at the peak: fates are known from the walk before */
    bool failed;
};

/* What the process has before a step, and what it would have. */
void world_measure(struct world *world, uint32_t step);
void world_happen(struct world *world, uint32_t step);
/* Behind the last step of a program that did not come to its own end: what was copied since memory was last measured counts, too. */
void world_measure_end(struct world *world);
/* The program is over: every copy that is left comes to its end. */
void world_end(struct world *world);

#endif
