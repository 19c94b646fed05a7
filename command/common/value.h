/* SPDX-License-Identifier: MIT */
/* Members of JSON objects, set and asked for. Whoever asks for what is not there gets nothing, zero or "". */
#ifndef COWSHIM_COMMAND_VALUE_H
#define COWSHIM_COMMAND_VALUE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

/* The member "format" of what we say in JSON: see doc/json.md. */
#define VALUE_FORMAT 1

void value_set(struct json_object *object, const char *name, struct json_object *value); /* takes the value */
void value_set_integer(struct json_object *object, const char *name, uint64_t value);
void value_set_real(struct json_object *object, const char *name, double value);
void value_set_flag(struct json_object *object, const char *name, bool value);
void value_set_text(struct json_object *object, const char *name, const char *text); /* NULL: null */
/* part / whole, or null where whole is zero. */
void value_set_share(struct json_object *object, const char *name, uint64_t part, uint64_t whole);
/* Any bytes as a string: what is not UTF-8 is replaced. */
struct json_object *value_new_text(const char *text);

struct json_object *value_of(struct json_object *object, const char *name);
int64_t value_integer(struct json_object *object, const char *name);
bool value_flag(struct json_object *object, const char *name);
const char *value_text(struct json_object *object, const char *name);
size_t value_length(struct json_object *array); /* 0 also for what is no array */

#endif
