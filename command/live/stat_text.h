/* SPDX-License-Identifier: MIT */
#ifndef COWSHIM_COMMAND_STAT_TEXT_H
#define COWSHIM_COMMAND_STAT_TEXT_H

#include "command/live/scene.h"

/* One process on half a page; or many, a line each, the first ones of the scene. */
void stat_print(const struct scene *scene, const struct member *member);
void stat_print_all(const struct scene *scene, size_t named, size_t forbidden);

#endif
