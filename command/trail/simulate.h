/* SPDX-License-Identifier: MIT */
/* What the shim would have made of the copies in a trail: which pages would be shared when, by the samples, with the shim's own
   policy. Where the shim was at work (--apply), the other way round: what memory its absence would have cost.

   A page that was found changed counts as changed from the moment on at which it was last seen unchanged. */
#ifndef COWSHIM_COMMAND_SIMULATE_H
#define COWSHIM_COMMAND_SIMULATE_H

#include <stdint.h>

#include "command/trail/trail.h"

#define SIMULATED_POINTS 1200 /* of the timeline */

/* What became of one copy. Indexed like the steps. */
struct outcome {
    uint32_t reason;      /* enum reason, or TRAIL_TOO_SMALL; REASON_none: shared */
    uint32_t same, known; /* samples of the copy that were unchanged when it ended, and all of them */
    double saved;         /* bytes at the peak */
};

struct point {
    double seconds;
    uint64_t native, shim;
};

struct simulation {
    struct outcome *outcomes;
    struct point points[SIMULATED_POINTS + 2];
    unsigned point_count;
    uint64_t peak_native, peak_shim;
    double peak_seconds, peak_shim_seconds;
    double seconds;      /* how long it took */
    double most_saved;   /* at any moment, */
    double most_seconds; /* and when that was */
};

/* policy: enum config_policy. False: out of memory. */
bool simulate(const struct trail *trail, unsigned policy, struct simulation *simulation);
void simulation_free(struct simulation *simulation);

#endif
