/* SPDX-License-Identifier: MIT */
#include "command/trail/world.h"

#include <stdlib.h>
#include <string.h>

#include "command/trail/cells.h"
#include "command/trail/inherit.h"
#include "command/trail/remains.h"
#include "engine/report/counters.h"

/* The copy that wrote a cell is over, or the program is: was it worth it? */
static void weigh(struct world *world, const struct world_cell *cell)
{
    struct outcome *outcome;

    if (cell->made_by == NO_BLOCK || world->attributing)
        return;
    outcome = &world->out->outcomes[cell->made_by];
    outcome->known++;
    outcome->same += !cell->changed;
}

/* How many pages a cell stands for is not known in a slice: all of its cells together stand for all of it. */
struct tally {
    uint32_t asked[SLICES], counted[SLICES];
};

static void tally_add(struct tally *tally, uint32_t pages, uint32_t page, bool counts)
{
    unsigned slice = slice_of(pages, page);

    tally->asked[slice]++;
    tally->counted[slice] += counts;
}

static uint32_t tally_pages(const struct tally *tally, uint32_t pages, unsigned slice)
{
    uint64_t size = slice_start(pages, slice + 1) - slice_start(pages, slice);

    return tally->asked[slice] == 0 ? 0 : (uint32_t)(size * tally->counted[slice] / tally->asked[slice]);
}

/* The shares of those slices that are known; returns the pages. */
static uint32_t tally_fate(const struct tally *tally, const struct past *past, struct fate *fate)
{
    uint32_t pages = 0;

    memset(fate, 0, sizeof *fate);
    fate->read = SHARE_UNKNOWN;
    for (unsigned i = 0; i < SLICES; i++) {
        bool known = i < slice_count(past->pages) && tally->asked[i] > 0;

        fate->written[i] = known ? (uint16_t)(tally->counted[i] * SHARE_ONE / tally->asked[i]) : SHARE_UNKNOWN;
        if (known && (past->shared >> i & 1) != 0)
            pages += tally_pages(tally, past->pages, i);
    }
    return pages;
}

/* As fate_of_copy() of the engine: what became of the copy is learned. */
static void tell_fate(struct world *world, struct world_block *block)
{
    struct past *past = &block->made;
    struct tally tally = {0};
    struct fate fate;
    uint32_t written;

    for (uint32_t i = 0; past->pages > 0 && i < block->count; i++) {
        const struct world_cell *cell = &block->cells[i];

        if (cell->made_by != NO_BLOCK && cell->page >= past->first && cell->page - past->first < past->pages)
            tally_add(&tally, past->pages, cell->page - past->first, cell->changed);
    }
    if (past->pages > 0) {
        written = tally_fate(&tally, past, &fate);
        policy_learn_copy(&world->shim, &past->place, &fate, (int64_t)written * world->costs.fault - past->native, past->known);
    }
    past->pages = 0;
}

/* Cells of the pages [first, end) are overwritten or freed. */
static void clear(struct world *world, struct world_block *block, uint32_t first, uint32_t end)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < block->count; i++) {
        if (block->cells[i].page < first || block->cells[i].page >= end) {
            block->cells[kept++] = block->cells[i];
            continue;
        }
        weigh(world, &block->cells[i]);
        version_drop_holder(world, &block->cells[i]);
    }
    block->count = kept;
}

struct copying {
    const struct trail_copy *event;
    const struct trail_sample *samples;
    uint32_t step;
    struct world_block *target, *source;
    uint32_t to, from; /* the copy's first page in each */
    uint32_t pages;
    bool alone[SAMPLES_OF_COPY]; /* private in the source, in a run that is too short to be sealed */
    bool covered; /* the target shows what a copy of another range put there */
};

static bool covers_another(const struct copying *copying)
{
    const struct past *made = &copying->target->made;

    return made->pages != 0 && made->shared != 0 && (made->first != copying->to || made->pages != copying->pages);
}

static bool same_as_stored(const struct copying *copying, uint32_t i)
{
    const struct world_block *source = copying->source;
    uint32_t page = copying->from + copying->samples[i].page;
    uint32_t index = cell_index(source, page);
    const struct world_cell *cell = &source->cells[index];

    return cell_is(source, index, page) && cell->holder != NULL && cell->holder->version->stored && cell->hash == copying->samples[i].hash;
}

/* As fate_of_source() of the engine. */
static void tell_source(struct world *world, const struct copying *copying, const struct tally *own)
{
    struct past *past = &copying->source->given;
    struct fate fate;
    uint32_t written;

    if (past->pages == copying->pages && past->first == copying->from) {
        written = tally_fate(own, past, &fate);
        policy_learn_source(&world->shim, &past->place, &fate, (int64_t)written * world->costs.fault);
    }
    past->pages = 0;
}

/* Asks the shim's policy, with what it would see: the slices that it would share. */
static uint64_t worthwhile(struct world *world, const struct copying *copying)
{
    const struct trail_copy *event = copying->event;
    uint64_t time = event->event.time - world->trail->begin->event.time;
    struct origin place = policy_origin(event->site, world->trail->steps[copying->step].source + 1, event->size);
    uint32_t private_pages[SLICES];
    struct tally own = {0};
    struct facts facts = {
        .policy = world->policy,
        .pages = copying->pages,
        .fresh = !event->target_touched && copying->target->made.place.keys[0] == 0,
        .huge = event->target_huge,
        .huge_store = event->huge_store,
        .huge_views = event->huge_store && event->target_huge,
        .filled = event->target_touched ? slice_all(copying->pages) : 0,
        .covered = copying->covered,
        .private_pages = private_pages,
    };
    struct judgement judgement;

    for (uint32_t i = 0; i < event->samples && copying->pages > 0; i++)
        if (copying->samples[i].page < copying->pages)
            tally_add(&own, copying->pages, copying->samples[i].page, !same_as_stored(copying, i));
    for (unsigned i = 0; i < SLICES; i++)
        private_pages[i] = i < slice_count(copying->pages) ? tally_pages(&own, copying->pages, i) : 0;
    tell_source(world, copying, &own);
    facts.purse = policy_purse(&world->shim, &place, time, time + 1);
    judgement = policy_decide(&world->shim, &place, &facts, &world->costs);
    if (judgement.shared != 0) {
        copying->target->made = (struct past){copying->to, copying->pages, judgement.shared, place, judgement.native, judgement.known};
        copying->source->given = copying->target->made;
        copying->source->given.first = copying->from;
    }
    return judgement.shared;
}

/* Whether the page is known to be private in the source. Of one that was not watched there nothing is known. */
static bool is_private(const struct copying *copying, uint32_t i)
{
    const struct world_block *source = copying->source;
    uint32_t page = copying->from + copying->samples[i].page;

    return cell_is(source, cell_index(source, page), page) && !same_as_stored(copying, i);
}

/* As cluster_length() of the engine, with what samples tell: neither neighbour of one that is alone has to be sealed, too. Returns their
   number. */
static uint32_t find_alone(struct copying *copying)
{
    uint32_t count = copying->event->samples, found = 0;
    bool before = count == 1;

    for (uint32_t i = 0; i < count; i++) {
        bool after = i + 1 < count && is_private(copying, i + 1), now = is_private(copying, i);

        copying->alone[i] = now && !before && !after;
        found += copying->alone[i];
        before = now;
    }
    return found;
}

/* As consolidate_runs() of the engine: all of the source is sealed anew when its short runs have been copied so often that it pays. What
   else shows what it showed keeps that. */
static void seal_all_or_copy(struct world *world, struct copying *copying)
{
    struct world_block *source = copying->source, *target = copying->target;
    uint32_t alone = find_alone(copying);

    if (alone == 0)
        return;
    source->copied_pages += (size_t)alone * copying->pages / copying->event->samples;
    target->copied_pages = source->copied_pages;
    if (!policy_consolidates(copying->pages, source->copied_pages, &world->costs, copying->event->huge_store))
        return;
    source->copied_pages = target->copied_pages = 0;
    memset(copying->alone, 0, sizeof copying->alone);
    for (uint32_t i = 0; i < source->count; i++) {
        struct world_cell *cell = &source->cells[i];

        if (cell->holder != NULL && cell->page >= copying->from && cell->page - copying->from < copying->pages)
            version_begin(world, cell, cell->holder->weight);
    }
}

/* The target's cells are made anew. In shared slices they hold what the source's hold. */
static void write_cells(struct world *world, const struct copying *copying, uint64_t slices)
{
    uint32_t count = copying->event->samples;
    double weight = count == 0 ? 0 : (double)copying->pages * world->trail->begin->page_size / count;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t hash = copying->samples[i].hash, page = copying->samples[i].page;
        bool shared = page < copying->pages && slices >> slice_of(copying->pages, page) & 1 && !copying->alone[i];
        struct world_cell *from = shared ? cell_at(world, copying->source, copying->from + copying->samples[i].page) : NULL;
        struct version *version;
        struct world_cell *to;

        if (from != NULL && (from->holder == NULL || from->hash != hash)) {
            version_begin(world, from, weight);
            from->changed = from->changed || from->hash != hash;
            from->hash = hash;
        }
        version = from == NULL || from->holder == NULL ? NULL : from->holder->version;
        to = cell_at(world, copying->target, copying->to + copying->samples[i].page);
        if (to == NULL || world->failed)
            return;
        *to = (struct world_cell){.page = to->page, .hash = hash, .made_by = copying->step};
        if (version == NULL) {
            version_begin(world, to, weight);
        } else {
            version->stored = true;
            version_add_holder(world, to, version, weight);
        }
    }
}

static void copy(struct world *world, uint32_t number)
{
    const struct step *step = &world->trail->steps[number];
    const struct trail_copy *event = (const void *)step->event;
    struct outcome *outcome = &world->out->outcomes[number];
    struct copying copying = {.event = event, .samples = trail_samples(step->event), .step = number};
    uint64_t page = world->trail->begin->page_size;
    uint64_t head = (page - event->to % page) % page;
    bool eligible = world->trail->begin->apply != 0 ? event->shared > 0 : event->reason == REASON_none;
    uint64_t slices = ~UINT64_C(0);

    outcome->reason = event->reason;
    if (step->block == NO_BLOCK || world->blocks[step->block] == NULL)
        return;
    copying.target = world->blocks[step->block];
    copying.source = step->source == NO_BLOCK ? NULL : world->blocks[step->source];
    copying.to = step->page;
    copying.from = step->source_page;
    copying.pages = event->size > head ? (uint32_t)((event->size - head) / page) : 0;
    eligible = eligible && copying.source != NULL;
    if (eligible) {
        for (uint32_t i = 0; i < event->samples; i++)
            if (copying.samples[i].page < copying.pages)
                inherit(world, copying.source, copying.from + copying.samples[i].page, copying.samples[i].hash);
        copying.covered = covers_another(&copying);
        tell_fate(world, copying.source);
        tell_fate(world, copying.target);
    }
    if (eligible && world->trail->begin->apply == 0 && (slices = worthwhile(world, &copying)) == 0) {
        outcome->reason = REASON_unlikely;
        eligible = false;
    }
    if (eligible)
        seal_all_or_copy(world, &copying);
    clear(world, copying.target, copying.to, copying.to + copying.pages);
    write_cells(world, &copying, eligible ? slices : 0);
}

static void rewrite(struct world *world, struct world_cell *cell, uint32_t hash)
{
    version_begin(world, cell, cell->holder == NULL ? 0 : cell->holder->weight);
    cell->hash = hash;
    cell->changed = true;
}

/* What was found changed by a later step. */
static void change(struct world *world, const struct step *found)
{
    const struct trail_block *event = (const void *)found->event;
    const struct trail_sample *samples = trail_samples(found->event);
    struct world_block *block = world->blocks[found->block];

    for (uint32_t i = 0; block != NULL && i < event->samples; i++) {
        struct world_cell *cell = cell_at(world, block, samples[i].page);

        if (cell == NULL || cell->hash == samples[i].hash)
            continue;
        rewrite(world, cell, samples[i].hash);
        for (cell++; cell < block->cells + block->count && cell->unwatched; cell++)
            rewrite(world, cell, samples[i].hash);
    }
}

static void thin_out(struct world *world, const struct step *step)
{
    const struct trail_block *event = (const void *)step->event;
    const struct trail_sample *samples = trail_samples(step->event);
    struct world_block *block = step->block == NO_BLOCK ? NULL : world->blocks[step->block];

    for (uint32_t i = 0, at = 0; block != NULL && i < block->count; i++) {
        while (at < event->samples && samples[at].page < block->cells[i].page)
            at++;
        block->cells[i].unwatched = at == event->samples || samples[at].page != block->cells[i].page;
    }
}

static void leave(struct world *world, const struct step *step)
{
    struct world_block *block = world->blocks[step->block];

    if (block == NULL || step->moves)
        return;
    tell_fate(world, block);
    remains_add(world, block, (const void *)step->event);
    clear(world, block, 0, UINT32_MAX);
    free(block->cells);
    free(block);
    world->blocks[step->block] = NULL;
}

static void add(struct world *world, uint32_t number)
{
    const struct trail_block *event = (const void *)world->trail->steps[number].event;

    world->blocks[number] = calloc(1, sizeof(struct world_block));
    world->failed = world->blocks[number] == NULL;
    world->unused = event;
}

void world_happen(struct world *world, uint32_t number)
{
    const struct step *step = &world->trail->steps[number];

    if (step->event->type == TRAIL_COPY)
        remains_use_added(world);
    if (step->event->type == TRAIL_ADDED)
        add(world, number);
    else if (step->event->type == TRAIL_COPY)
        copy(world, number);
    else if (step->event->type == TRAIL_LEAVES && step->block != NO_BLOCK)
        leave(world, step);
    else if (step->event->type == TRAIL_THINNED)
        thin_out(world, step);
    /* What changed from here on, as was found out later. */
    for (uint32_t i = world->late_first[number]; i < world->late_first[number + 1]; i++)
        change(world, &world->trail->steps[world->late[i]]);
}

void world_end(struct world *world)
{
    for (uint32_t i = 0; i < world->trail->count; i++) {
        struct world_block *block = world->blocks[i];

        if (block == NULL)
            continue;
        clear(world, block, 0, UINT32_MAX);
        free(block->cells);
        free(block);
        world->blocks[i] = NULL;
    }
    remains_free(world);
}
