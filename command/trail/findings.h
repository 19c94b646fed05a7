/* SPDX-License-Identifier: MIT */
/* What a trail comes to: copies by the place that makes them, and the verdict in words. */
#ifndef COWSHIM_COMMAND_FINDINGS_H
#define COWSHIM_COMMAND_FINDINGS_H

#include "engine/report/counters.h"
#include "command/trail/places.h"
#include "command/trail/simulate.h"

/* Reasons: those of the engine, shared (REASON_none), and "smaller than COWSHIM_MIN_SIZE". */
#define FINDINGS_SMALL (REASONS + 1)
#define FINDINGS_REASONS (REASONS + 2)

struct tally {
    uint64_t count, bytes;
};

struct site {
    const struct place_words *place; /* with the stack of its largest copy */
    uint32_t stack;
    uint64_t largest;
    struct tally all, by_reason[FINDINGS_REASONS];
    uint64_t same, known; /* samples */
    double saved;         /* at the peak */
    bool sampled;         /* small copies, not all of which were looked at */
    bool apart;           /* blocks that were filled without a large copy; all counts these */
};

struct findings {
    const struct trail *trail;
    struct place_words *places;
    struct simulation simulation;
    struct site *sites; /* by what they save, then by bytes; those that are apart come last */
    unsigned site_count;
    struct tally all, by_reason[FINDINGS_REASONS];
    uint64_t blocks;
    uint64_t same, known; /* of all copies that were or could be shared */
    double saved;         /* at the peak */
    bool helps;
    uint64_t peak_of_memory; /* with the policy `memory`; 0: that is the one, or the shim was at work */
    const char *killed;      /* "killed by signal 9 (out of memory)", or NULL */
    char *verdict;
};

/* killed: how the program ended, if that is known and was not by itself, or NULL. False: out of memory. */
bool findings_make(const struct trail *trail, unsigned policy, const char *killed, struct findings *findings);
void findings_free(struct findings *findings);

const char *findings_reason_name(unsigned reason);
const char *findings_reason_words(unsigned reason);
const char *findings_reason_advice(unsigned reason);

/* Whether the peak is lower by an amount that is worth a word. */
bool verdict_helps(const struct findings *findings);
/* One or two sentences; allocated. */
char *verdict_write(const struct findings *findings);

#endif
