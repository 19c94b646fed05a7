/* SPDX-License-Identifier: MIT */
#include "command/trail/findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/config.h"

const char *findings_reason_name(unsigned reason)
{
    if (reason == REASON_none)
        return "shared";
    return reason == FINDINGS_SMALL ? "too_small" : reason_name((enum reason)reason);
}

const char *findings_reason_words(unsigned reason)
{
    if (reason == REASON_none)
        return "can be shared";
    return reason == FINDINGS_SMALL ? "smaller than COWSHIM_MIN_SIZE" : reason_words((enum reason)reason);
}

/* What to do about it; NULL where there is nothing to advise. */
const char *findings_reason_advice(unsigned reason)
{
    static const char *const advice[FINDINGS_REASONS] = {
        [REASON_incongruent] = "copy whole arrays, or make rows a multiple of 4096 bytes (512 doubles): then slices begin where pages do",
        [REASON_small] = "copy larger pieces at a time",
        [REASON_not_source] = "what is copied from must be a large allocation of malloc: not a mapped file, and not smaller than "
                              "COWSHIM_MIN_SIZE",
        [REASON_not_target] = "what is copied to must be a large allocation of malloc: not a mapped file, and not smaller than "
                              "COWSHIM_MIN_SIZE",
        [REASON_device] = "make the copies before the accelerator is opened, or in another process",
        [REASON_pinned] = "make the copies before io_uring or asynchronous reads are set up, or in another process",
        [REASON_no_guard] = "cowshim doctor says what this machine lacks",
        [REASON_no_pagemap] = "cowshim doctor says what this machine lacks",
        [REASON_no_store] = "cowshim doctor says what this machine lacks",
        [REASON_budget] = "fewer and larger copies, or a higher vm.max_map_count or ulimit -n",
        [REASON_unlikely] = "it is rewritten soon: write into the array that is there (out=, copyto) instead of copying it first",
        [FINDINGS_SMALL] = "cowshim run --min-size 64K takes smaller copies in",
    };

    return reason < FINDINGS_REASONS ? advice[reason] : NULL;
}

static void count(struct tally *tally, uint64_t times, uint64_t bytes)
{
    tally->count += times;
    tally->bytes += bytes;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The site of a stack: stacks that end at the same place are one; a line that calls a library has a site for each line in there. */
static struct site *site_of(struct findings *findings, uint32_t stack, bool apart)
{
    struct place_words *place;
    struct site *sites;

    if (stack >= findings->trail->stack_count)
        stack = findings->trail->stack_count; /* the entry of what is not known */
    place = &findings->places[stack];
    for (unsigned i = 0; i < findings->site_count; i++)
        if (findings->sites[i].apart == apart && strcmp(findings->sites[i].place->where, place->where) == 0 &&
            same_text(findings->sites[i].place->via, place->via))
            return &findings->sites[i];
    sites = realloc(findings->sites, (findings->site_count + 1) * sizeof *sites);
    if (sites == NULL)
        return NULL;
    findings->sites = sites;
    sites += findings->site_count++;
    *sites = (struct site){.place = place, .stack = stack, .apart = apart};
    return sites;
}

static unsigned reason_of(uint32_t reason)
{
    return reason == TRAIL_TOO_SMALL ? FINDINGS_SMALL : reason <= REASONS ? reason : REASON_nested;
}

static bool add_copy(struct findings *findings, uint32_t number)
{
    const struct trail_copy *copy = (const void *)findings->trail->steps[number].event;
    const struct outcome *outcome = &findings->simulation.outcomes[number];
    struct site *site = site_of(findings, copy->stack, false);
    unsigned reason = reason_of(outcome->reason);
    uint64_t bytes = copy->size + copy->also_bytes;

    if (site == NULL)
        return false;
    if (findings->trail->begin->apply != 0 && copy->shared > 0)
        reason = REASON_none;
    if (copy->size > site->largest) {
        site->largest = copy->size;
        site->place = &findings->places[copy->stack < findings->trail->stack_count ? copy->stack : findings->trail->stack_count];
        site->stack = copy->stack;
    }
    count(&site->all, 1 + copy->also, bytes);
    count(&site->by_reason[reason], 1 + copy->also, bytes);
    count(&findings->all, 1 + copy->also, bytes);
    count(&findings->by_reason[reason], 1 + copy->also, bytes);
    site->same += outcome->same;
    site->known += outcome->known;
    site->saved += outcome->saved;
    site->sampled = site->sampled || copy->also > 0;
    findings->saved += outcome->saved;
    if (reason == REASON_none || reason == REASON_unlikely) {
        findings->same += outcome->same;
        findings->known += outcome->known;
    }
    return true;
}

/* A block that was written to all over, and no large copy went into it: it was computed, read in, or copied piece by piece. */
static bool add_filled(struct findings *findings, const struct step *step)
{
    const struct trail_block *what = (const void *)step->event;
    const struct trail_block *added;
    struct site *site;

    if (step->moves || step->block == NO_BLOCK || what->probes == 0 || what->filled < what->probes)
        return true;
    added = (const void *)findings->trail->steps[step->block].event;
    site = site_of(findings, added->stack, true);
    if (site != NULL)
        count(&site->all, 1, what->size);
    return site != NULL;
}

static int compare(const void *a, const void *b)
{
    const struct site *one = a, *other = b;

    if (one->apart != other->apart)
        return one->apart ? 1 : -1;
    if (one->saved != other->saved)
        return one->saved > other->saved ? -1 : 1;
    return one->all.bytes > other->all.bytes ? -1 : one->all.bytes < other->all.bytes;
}

static bool add_all(struct findings *findings)
{
    bool done = true;

    for (uint32_t i = 0; done && i < findings->trail->count; i++) {
        const struct step *step = &findings->trail->steps[i];

        if (step->event->type == TRAIL_COPY)
            done = add_copy(findings, i);
        else if (step->event->type == TRAIL_LEAVES || step->event->type == TRAIL_CHANGED)
            done = add_filled(findings, step);
        if (step->event->type == TRAIL_ADDED)
            findings->blocks += 1 + ((const struct trail_block *)(const void *)step->event)->was;
    }
    if (findings->site_count > 0)
        qsort(findings->sites, findings->site_count, sizeof *findings->sites, compare);
    return done;
}

/* The peak where every copy is shared that can be, whatever it costs. */
static bool find_peak_of_memory(struct findings *findings, unsigned policy)
{
    struct simulation simulation;

    if (policy == POLICY_MEMORY || findings->trail->begin->apply != 0)
        return true;
    if (!simulate(findings->trail, POLICY_MEMORY, &simulation))
        return false;
    findings->peak_of_memory = simulation.peak_shim;
    simulation_free(&simulation);
    return true;
}

bool findings_make(const struct trail *trail, unsigned policy, const char *killed, struct findings *findings)
{
    struct symbols *symbols = symbols_open(trail->maps);
    bool done;

    memset(findings, 0, sizeof *findings);
    findings->trail = trail;
    findings->killed = killed;
    findings->places = places_read(trail, symbols);
    done = findings->places != NULL && simulate(trail, policy, &findings->simulation) && add_all(findings) &&
           find_peak_of_memory(findings, policy);
    symbols_close(symbols);
    if (done) {
        findings->helps = verdict_helps(findings);
        findings->verdict = verdict_write(findings);
    }
    return done && findings->verdict != NULL;
}

void findings_free(struct findings *findings)
{
    places_free(findings->places, findings->trail);
    simulation_free(&findings->simulation);
    free(findings->sites);
    free(findings->verdict);
}
