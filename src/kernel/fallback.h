/* SPDX-License-Identifier: MIT */
/* What of the kernel may be missing: the table is fallbacks.def. */
#ifndef COWSHIM_KERNEL_FALLBACK_H
#define COWSHIM_KERNEL_FALLBACK_H

#include <stdbool.h>

enum fallback {
#define FALLBACK(member, ...) FALLBACK_##member,
#include "kernel/fallbacks.def"
};

/* Whether a test wants us to do without. */
bool fallback_forced(enum fallback fallback);

#endif
