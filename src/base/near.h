/* SPDX-License-Identifier: MIT */
/* Guesses which name was meant by a mistyped one. */
#ifndef COWSHIM_BASE_NEAR_H
#define COWSHIM_BASE_NEAR_H

#include <stddef.h>

/* Letters that are missing, too many, wrong or swapped with their neighbour. Names longer than 40 are far from everything. */
unsigned near_distance(const char *a, const char *b);
/* The nearest of the names, where it is near enough for their length that it was likely meant; else NULL. */
const char *near_find(const char *word, const char *const *names, size_t count);

#endif
