/* SPDX-License-Identifier: MIT */
#include "command/trail/profile_json.h"

#include <stdlib.h>
#include <string.h>

#include "command/common/value.h"

#define FLAMES 400 /* stacks in the flame graph */

static struct json_object *tally_json(const struct tally *tally)
{
    struct json_object *object = json_object_new_object();

    value_set_integer(object, "copies", tally->count);
    value_set_integer(object, "bytes", tally->bytes);
    return object;
}

static struct json_object *reasons(const struct tally *by_reason)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < FINDINGS_REASONS; i++) {
        struct json_object *reason;

        if (i == REASON_none || by_reason[i].count == 0)
            continue;
        reason = tally_json(&by_reason[i]);
        value_set_text(reason, "reason", findings_reason_name(i));
        value_set_text(reason, "words", findings_reason_words(i));
        value_set_text(reason, "advice", findings_reason_advice(i));
        json_object_array_add(list, reason);
    }
    return list;
}

static struct json_object *frames(const struct place_words *place)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < place->count; i++)
        json_object_array_add(list, value_new_text(place->frames[i]));
    return list;
}

static struct json_object *place_json(const struct site *site)
{
    const struct place_words *place = site->place;
    struct json_object *object = json_object_new_object();
    char *source = place_source(place);

    value_set_text(object, "where", place->where);
    value_set_text(object, "via", place->via);
    value_set_text(object, "file", place->file);
    value_set_integer(object, "line", (uint64_t)place->line);
    value_set_text(object, "function", place->function);
    value_set_text(object, "source", source);
    value_set_text(object, "language", place->language);
    value_set(object, "stack", frames(place));
    free(source);
    return object;
}

static struct json_object *site_json(const struct site *site)
{
    struct json_object *object = place_json(site);

    value_set_integer(object, "copies", site->all.count);
    value_set_integer(object, "bytes", site->all.bytes);
    value_set(object, "could_share", tally_json(&site->by_reason[REASON_none]));
    value_set_share(object, "share", site->by_reason[REASON_none].bytes, site->all.bytes);
    value_set(object, "reasons", reasons(site->by_reason));
    value_set_share(object, "same", site->same, site->known);
    value_set_integer(object, "saved_at_peak", (uint64_t)site->saved);
    value_set_flag(object, "sampled", site->sampled);
    return object;
}

static struct json_object *filled_json(const struct site *site)
{
    struct json_object *object = place_json(site);

    value_set_integer(object, "blocks", site->all.count);
    value_set_integer(object, "bytes", site->all.bytes);
    return object;
}

static void put_sites(struct json_object *process, const struct findings *findings)
{
    struct json_object *sites = json_object_new_array(), *filled = json_object_new_array();

    for (unsigned i = 0; i < findings->site_count; i++)
        if (findings->sites[i].apart)
            json_object_array_add(filled, filled_json(&findings->sites[i]));
        else
            json_object_array_add(sites, site_json(&findings->sites[i]));
    value_set(process, "sites", sites);
    value_set(process, "filled", filled);
}

/* Seconds, bytes without the shim, bytes with it. */
static struct json_object *point_json(const struct point *point)
{
    struct json_object *list = json_object_new_array_ext(3);
    struct json_object *seconds = json_object_new_double(point->seconds);

    json_object_set_serializer(seconds, json_object_double_to_json_string, strdup("%.4f"), json_object_free_userdata);
    json_object_array_add(list, seconds);
    json_object_array_add(list, json_object_new_int64((int64_t)point->native));
    json_object_array_add(list, json_object_new_int64((int64_t)point->shim));
    return list;
}

static struct json_object *timeline(const struct simulation *simulation)
{
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < simulation->point_count; i++)
        json_object_array_add(list, point_json(&simulation->points[i]));
    return list;
}

static struct json_object *stack_json(const struct place_words *place, uint64_t bytes, uint64_t could_share)
{
    struct json_object *object = json_object_new_object();

    value_set(object, "frames", frames(place));
    value_set_integer(object, "bytes", bytes);
    value_set_integer(object, "could_share", could_share);
    return object;
}

/* Bytes by whole stack, for the flame graph. */
static struct json_object *stacks(const struct findings *findings)
{
    const struct trail *trail = findings->trail;
    uint64_t *bytes = calloc(trail->stack_count + 1, 2 * sizeof *bytes);
    struct json_object *list = json_object_new_array();

    if (bytes == NULL)
        return list;
    for (uint32_t i = 0; i < trail->count; i++) {
        const struct trail_copy *copy = (const void *)trail->steps[i].event;

        if (copy->event.type != TRAIL_COPY || copy->stack >= trail->stack_count)
            continue;
        bytes[2 * copy->stack] += copy->size + copy->also_bytes;
        if (findings->simulation.outcomes[i].reason == REASON_none || copy->shared > 0)
            bytes[2 * copy->stack + 1] += copy->size;
    }
    for (uint32_t i = 0; i < trail->stack_count && value_length(list) < FLAMES; i++)
        if (bytes[2 * i] > 0)
            json_object_array_add(list, stack_json(&findings->places[i], bytes[2 * i], bytes[2 * i + 1]));
    free(bytes);
    return list;
}

struct json_object *profile_json_process(const struct findings *findings)
{
    const struct trail_begin *begin = findings->trail->begin;
    const struct simulation *simulation = &findings->simulation;
    char *command = trail_command(findings->trail);
    struct json_object *process = json_object_new_object();

    value_set_integer(process, "pid", begin->pid);
    value_set_integer(process, "parent", begin->parent);
    value_set_text(process, "command", command);
    value_set_text(process, "verdict", findings->verdict);
    value_set_flag(process, "helps", findings->helps);
    value_set_real(process, "seconds", simulation->seconds);
    value_set_flag(process, "ended", findings->trail->ended);
    value_set_text(process, "killed", findings->killed);
    value_set_flag(process, "cut_short", findings->trail->cut);
    value_set_integer(process, "peak_native", simulation->peak_native);
    value_set_integer(process, "peak_shim", simulation->peak_shim);
    value_set_real(process, "peak_seconds", simulation->peak_seconds);
    value_set_integer(process, "most_saved", (uint64_t)simulation->most_saved);
    value_set_real(process, "most_saved_seconds", simulation->most_seconds);
    value_set_integer(process, "saved_at_peak", (uint64_t)findings->saved);
    value_set_integer(process, "allocations", findings->blocks);
    value_set(process, "copied", tally_json(&findings->all));
    value_set(process, "could_share", tally_json(&findings->by_reason[REASON_none]));
    value_set(process, "reasons", reasons(findings->by_reason));
    value_set_share(process, "same", findings->same, findings->known);
    put_sites(process, findings);
    value_set(process, "stacks", stacks(findings));
    value_set(process, "timeline", timeline(simulation));
    free(command);
    return process;
}
