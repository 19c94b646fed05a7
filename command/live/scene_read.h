/* SPDX-License-Identifier: MIT */
/* The part of a scene that is read without looking at pages: what a process has mapped, and the files behind it. */
#ifndef COWSHIM_COMMAND_SCENE_READ_H
#define COWSHIM_COMMAND_SCENE_READ_H

#include "command/live/scene.h"

/* Mappings, views, stores and arrays of a member; a process that ended has none, and gets that state. */
void scene_read_member(struct scene *scene, struct member *member);
void scene_forget_member(struct member *member);
bool scene_shows_known_store(const struct scene *scene, pid_t pid);
bool scene_member_has_store(const struct member *member, unsigned store);

#endif
