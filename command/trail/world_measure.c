/* SPDX-License-Identifier: MIT */
#include "command/trail/remains.h"
#include "command/trail/world.h"

static void add_point(struct world *world, uint32_t number, uint64_t time, uint64_t has)
{
    struct point *point = &world->points[world->point_count];
    uint64_t saving = world->saving > 0 ? (uint64_t)world->saving : 0;
    bool apply = world->trail->begin->apply != 0;

    if (saving > has && !apply)
        saving = has;
    point->seconds = (double)(time - world->trail->begin->event.time) / 1e9;
    point->native = apply ? has + saving : has;
    point->shim = apply ? has : has - saving;
    if (point->native > world->out->peak_native) {
        world->out->peak_native = point->native;
        world->out->peak_seconds = point->seconds;
        world->peak_step = number;
    }
    if (point->shim > world->out->peak_shim) {
        world->out->peak_shim = point->shim;
        world->out->peak_shim_seconds = point->seconds;
    }
    if ((double)saving > world->out->most_saved) {
        world->out->most_saved = (double)saving;
        world->out->most_seconds = point->seconds;
    }
    world->out->seconds = point->seconds;
    world->point_count++;
}

/* Whether the block that was added last has been written to before this step. What memory there was at its place, from blocks that were
   freed, counts until then. */
static bool is_used_by(const struct world *world, const struct step *step)
{
    if (step->event->type == TRAIL_COPY)
        return step->block == NO_BLOCK || world->trail->steps[step->block].event != &world->unused->event;
    return step->event->type == TRAIL_ADDED || step->event->type == TRAIL_LEAVES || step->event->type == TRAIL_RETURNS ||
           step->event->type == TRAIL_END;
}

void world_measure(struct world *world, uint32_t number)
{
    const struct trail_event *event = world->trail->steps[number].event;

    if (world->unused != NULL && is_used_by(world, &world->trail->steps[number]))
        remains_use_added(world);
    if (event->anon == 0)
        return;
    remains_measured(world, event->heap);
    add_point(world, number, event->time, event->anon + event->stores);
}

/* What a copy adds to the memory that was measured before it. */
static uint64_t grows_by(const struct world *world, const struct step *step)
{
    const struct trail_copy *copy = (const void *)step->event;

    if (step->event->type != TRAIL_COPY || copy->target_touched || copy->tracked == 0)
        return 0;
    return world->trail->begin->apply != 0 && copy->shared > 0 ? copy->size - copy->shared : copy->size;
}

void world_measure_end(struct world *world)
{
    const struct trail *trail = world->trail;
    uint32_t i = trail->count;
    uint64_t has = 0;

    while (i > 0 && trail->steps[i - 1].event->anon == 0)
        has += grows_by(world, &trail->steps[--i]);
    if (i == 0)
        return;
    has += grows_by(world, &trail->steps[i - 1]) + trail->steps[i - 1].event->anon + trail->steps[i - 1].event->stores;
    add_point(world, trail->count, trail->steps[trail->count - 1].event->time, has);
}
