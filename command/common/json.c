/* SPDX-License-Identifier: MIT */
#include "command/common/json.h"

#include <stdio.h>

#include "command/common/value.h"

static void set(struct json_object *object, const char *name, uint64_t value)
{
    json_object_object_add(object, name, json_object_new_int64((int64_t)value));
}

/* Text of a process need not be UTF-8, and JSON must be. */
static void set_text(struct json_object *object, const char *name, const char *text)
{
    char plain[64];
    size_t used = 0;

    for (; *text != '\0' && used < sizeof plain - 1; text++)
        plain[used++] = *text < ' ' || *text > '~' ? '?' : *text;
    plain[used] = '\0';
    json_object_object_add(object, name, json_object_new_string(plain));
}

struct json_object *json_figures(const struct figures *figures)
{
    struct json_object *object = json_object_new_object();

    set(object, "arrays", figures->arrays);
    set(object, "asked_bytes", figures->asked);
    set(object, "logical_bytes", figures->logical);
    set(object, "cost_bytes", figures_cost(figures));
    json_object_object_add(object, "saved_bytes", json_object_new_int64(figures_saved(figures)));
    set(object, "private_bytes", figures->own);
    set(object, "faulted_back_bytes", figures->rewritten);
    set(object, "stores", figures->stores);
    set(object, "store_bytes", figures->stored);
    set(object, "dead_bytes", figures->dead);
    set(object, "process_bytes", figures->anonymous + figures->stored);
    set(object, "page_table_bytes", figures->page_tables);
    set(object, "resident_bytes", figures->resident);
    set(object, "mappings", figures->mappings);
    set(object, "views", figures->views);
    return object;
}

static struct json_object *json_counters(const struct process *process)
{
    struct json_object *object = json_object_new_object();

    for (unsigned i = 0; i < process->header.counters; i++)
        set(object, process->counts[i].name, process->counts[i].number);
    return object;
}

static struct json_object *json_reasons(const struct process *process)
{
    struct json_object *object = json_object_new_object();
    const struct count *reasons = process_reasons(process);

    for (unsigned i = 0; i < process->header.reasons; i++) {
        struct json_object *reason = json_object_new_object();

        set(reason, "copies", reasons[i].number);
        set(reason, "bytes", reasons[i].bytes);
        json_object_object_add(object, reasons[i].name, reason);
    }
    return object;
}

struct json_object *json_member(const struct member *member)
{
    const struct process *process = &member->process;
    struct json_object *object = json_figures(&member->figures);

    set(object, "format", VALUE_FORMAT);
    set(object, "pid", (uint64_t)process->pid);
    set_text(object, "name", process->name);
    set_text(object, "release", process->header.release);
    set_text(object, "mode", process->header.mode);
    set_text(object, "policy", process->header.policy);
    set(object, "min_size", process->header.min_size);
    set(object, "unlisted_arrays", process->header.unlisted);
    set(object, "descriptors", process->header.descriptors);
    json_object_object_add(object, "counters", json_counters(process));
    json_object_object_add(object, "plain", json_reasons(process));
    return object;
}

void json_print(struct json_object *value, bool one_line)
{
    puts(json_object_to_json_string_ext(value, one_line ? JSON_C_TO_STRING_PLAIN : JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED));
    json_object_put(value);
}
