/* SPDX-License-Identifier: MIT */
/* The profile as JSON: what -o FILE.json gets, and what text and HTML are made of. See cowshim(1) for its members. */
#ifndef COWSHIM_COMMAND_PROFILE_JSON_H
#define COWSHIM_COMMAND_PROFILE_JSON_H

#include <json-c/json.h>

#include "command/trail/findings.h"

struct json_object *profile_json_process(const struct findings *findings);

#endif
