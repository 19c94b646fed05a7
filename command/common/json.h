/* SPDX-License-Identifier: MIT */
/* What every JSON answer of ours is made of. Sizes are bytes. */
#ifndef COWSHIM_COMMAND_JSON_H
#define COWSHIM_COMMAND_JSON_H

#include <json-c/json.h>

#include "command/live/scene.h"

/* One member: its state, counters and figures. */
struct json_object *json_member(const struct member *member);
struct json_object *json_figures(const struct figures *figures);
/* On stdout, on one line if so asked; the value is let go. */
void json_print(struct json_object *value, bool one_line);

#endif
