/* SPDX-License-Identifier: MIT */
/* The costs of a made-up machine, for tests of the policy: a fault costs as much as thirty copies, and reading a view next to nothing. */
#ifndef COWSHIM_TESTS_UNIT_COSTS_H
#define COWSHIM_TESTS_UNIT_COSTS_H

#include "kernel/costs.h"

static const struct costs costs = {.fault = 3000,
                                   .fill = 1000,
                                   .copy = 100,
                                   .copy_far = 200,
                                   .seal = 1500,
                                   .seal_huge = 200,
                                   .drop = 20,
                                   .read = 5,
                                   .map = 2000,
                                   .flush = 2000,
                                   .look = 5000};

#endif
