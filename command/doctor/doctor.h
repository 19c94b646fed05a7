/* SPDX-License-Identifier: MIT */
/* What `cowshim doctor` finds: the kernel layer of the shim itself is asked, so that what is said here is what the shim meets. */
#ifndef COWSHIM_COMMAND_DOCTOR_H
#define COWSHIM_COMMAND_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>

#include "kernel/fallback.h"

enum verdict {
    VERDICT_OK,
    VERDICT_DEGRADED, /* works, at a price that is named */
    VERDICT_MISSING,  /* without it large copies stay plain */
};

struct finding {
    const char *name;
    enum verdict verdict;
    char text[200];
    char remedy[200];              /* empty: nothing to improve */
    double seal_speed, read_speed; /* bytes a second; 0: not measured */
};

#define FINDINGS_MOST 32

struct findings {
    struct finding list[FINDINGS_MOST];
    size_t count;
};

/* Adds one and returns it, for the rest to be filled in. */
struct finding *finding_add(struct findings *findings, const char *name, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void finding_remedy(struct finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds what kernel/fallbacks.def says of a feature that is missing. */
struct finding *finding_add_missing(struct findings *findings, const char *name, enum verdict verdict, enum fallback fallback);

void doctor_kernel(struct findings *findings);
void doctor_stores(struct findings *findings);
void doctor_devices(struct findings *findings);
/* ulimit -n as it was given to us. */
void doctor_limits(struct findings *findings, rlim_t descriptors);
/* On a terminal: what is being looked at, in a line that goes away. NULL: the line goes. */
void doctor_progress(const char *what);

#endif
