/* SPDX-License-Identifier: MIT */
/* How long a test waits for what ought to come at once: TEST_PATIENCE times as long where processors are slow (tools/kernels). */
#ifndef COWSHIM_TESTS_PATIENCE_H
#define COWSHIM_TESTS_PATIENCE_H

#include <stdlib.h>

static inline unsigned patience(unsigned seconds)
{
    const char *times = getenv("TEST_PATIENCE");

    return times == NULL ? seconds : seconds * (unsigned)strtoul(times, NULL, 10);
}

#endif
