/* SPDX-License-Identifier: MIT */
#include "command/trail/simulate.h"

#include <stdlib.h>
#include <string.h>

#include "command/trail/remains.h"
#include "command/trail/world.h"

/* Whether a step tells of changes, which took place after an earlier one. */
static bool tells_changes(const struct step *step)
{
    return (step->event->type == TRAIL_CHANGED || step->event->type == TRAIL_LEAVES) && step->block != NO_BLOCK &&
           ((const struct trail_block *)(const void *)step->event)->samples > 0;
}

/* Sorts the changes by the step after which they count: first[i] to first[i + 1] are those of step i. */
static bool sort_changes(struct world *world)
{
    const struct trail *trail = world->trail;
    uint32_t *first = calloc(trail->count + 2, sizeof *first);

    world->late_first = first;
    world->late = malloc((trail->count + 1) * sizeof *world->late);
    if (first == NULL || world->late == NULL)
        return false;
    for (uint32_t i = 0; i < trail->count; i++)
        if (tells_changes(&trail->steps[i]))
            first[trail->steps[i].since + 2]++;
    for (uint32_t i = 2; i < trail->count + 2; i++)
        first[i] += first[i - 1];
    for (uint32_t i = 0; i < trail->count; i++)
        if (tells_changes(&trail->steps[i]))
            world->late[first[trail->steps[i].since + 1]++] = i;
    return true;
}

/* Who saves what at this moment: of those that hold a content, all but the one that has held it longest. A copy whose source is gone
   saves nothing by itself, and nothing of what is copied from it later. */
static void attribute(struct world *world, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++)
        for (uint32_t k = 0; world->blocks[i] != NULL && k < world->blocks[i]->count; k++) {
            const struct world_cell *cell = &world->blocks[i]->cells[k];

            if (cell->made_by != NO_BLOCK && cell->holder != NULL && cell->holder->earlier != NULL)
                world->out->outcomes[cell->made_by].saved += cell->holder->weight;
        }
    remains_attribute(world);
}

/* Through all steps, or up to the one at which the peak was. */
static bool walk(struct world *world)
{
    uint32_t count = world->trail->count;
    uint32_t peak = world->peak_step;

    world->blocks = calloc(count + 1, sizeof(struct world_block *));
    if (world->blocks == NULL)
        return false;
    memset(&world->shim, 0, sizeof world->shim);
    world->saving = 0;
    world->heap_end = 0;
    world->unused = NULL;
    world->point_count = 0;
    for (uint32_t i = 0; i < count && !world->failed; i++) {
        world_measure(world, i);
        if (world->attributing && i == peak)
            break;
        world_happen(world, i);
    }
    if (!world->trail->ended && !world->attributing && !world->failed)
        world_measure_end(world);
    if (world->attributing)
        attribute(world, count);
    world_end(world);
    free(world->blocks);
    return !world->failed;
}

/* The greatest of each of so many spans of time. */
static void thin_out(const struct world *world, struct simulation *out)
{
    for (uint32_t i = 0; i < world->point_count; i++) {
        unsigned span = out->seconds > 0 ? (unsigned)(world->points[i].seconds / out->seconds * SIMULATED_POINTS) : 0;
        struct point *last = out->point_count > 0 ? &out->points[out->point_count - 1] : NULL;

        if (last != NULL && out->seconds > 0 && (unsigned)(last->seconds / out->seconds * SIMULATED_POINTS) == span) {
            if (world->points[i].native > last->native)
                last->native = world->points[i].native;
            if (world->points[i].shim > last->shim)
                last->shim = world->points[i].shim;
        } else {
            out->points[out->point_count++] = world->points[i];
        }
    }
}

bool simulate(const struct trail *trail, unsigned policy, struct simulation *simulation)
{
    struct world *world = calloc(1, sizeof *world);
    bool done;

    memset(simulation, 0, sizeof *simulation);
    simulation->outcomes = calloc(trail->count + 1, sizeof *simulation->outcomes);
    if (world == NULL || simulation->outcomes == NULL) {
        free(world);
        return false;
    }
    world->trail = trail;
    world->out = simulation;
    world->policy = (enum config_policy)policy;
    costs_read(&world->costs);
    world->points = malloc((trail->count + 2) * sizeof *world->points);
    done = world->points != NULL && sort_changes(world) && walk(world);
    if (done) {
        thin_out(world, simulation);
        world->attributing = true;
        done = walk(world);
    }
    free(world->points);
    free(world->late);
    free(world->late_first);
    free(world);
    return done;
}

void simulation_free(struct simulation *simulation)
{
    free(simulation->outcomes);
}
