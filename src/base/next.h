/* SPDX-License-Identifier: MIT */
/* The next definition of every function that we interpose: glibc's, or another preloaded library's behind us.
   The table starts with working bootstrap functions, so that it may be called at any moment, also while dlsym runs;
   next_bind() replaces them. Bind is idempotent and runs before any second thread exists (first call of malloc or constructor). */
#ifndef COWSHIM_BASE_NEXT_H
#define COWSHIM_BASE_NEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/hook_types.h"

#define NEXT_REQUIRED(name, result, parameters) result(*name) parameters;
#define NEXT_OPTIONAL(name, result, parameters) result(*name) parameters;
#define NEXT_LATE(name, result, parameters) result(*name) parameters;
#define NEXT_DERIVED(name, result, parameters)

struct next {
#define INTERPOSE(name, kind, family, result, parameters, arguments) NEXT_##kind(name, result, parameters)
#include "base/hooks.def"
};

/* Hidden where it is declared, too: the hooks then need no detour to find it. */
extern struct next next __attribute__((visibility("hidden")));

void next_bind(void);
/* The rest, those of kind LATE: memory is allocated meanwhile, so that nobody may be in the middle of that. */
void next_bind_late(void);
/* Whether memory comes from glibc's own malloc, and not from another one that is preloaded or linked. */
bool next_is_glibc(void);

/* Whether the pointer came from the bootstrap allocator; such memory is never given back. Its pointers are page-aligned, so that
   free() can tell every pointer of ours from the rest by its low bits. */
bool next_is_bootstrap(const void *pointer);
size_t next_bootstrap_size(const void *pointer);

#endif
