/* SPDX-License-Identifier: MIT */
/* Included last by every .c file below src/shim: there, using a function that we interpose is a compile error, because the call
   would come back to us. Bytes are moved with base/bytes.h, memory comes from base/arena.h, system calls go through base/sys.h.
   tests/unit/layers.sh looks for the same names in the object files. */
#ifndef COWSHIM_BASE_POISON_H
#define COWSHIM_BASE_POISON_H

#include "base/hook_types.h"

#if __has_attribute(unavailable)
#define POISONED __attribute__((unavailable("the shim stands in front of it, a call would come back to us")))
#else /* gcc before 12; clang knows this one, too, but only at the first declaration of a function */
#define POISONED __attribute__((error("the shim stands in front of it, a call would come back to us")))
#endif
#ifdef __clang__ /* with _FORTIFY_SOURCE the headers define some of them, which clang takes for the last word */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wignored-attributes"
#endif
#define INTERPOSE(name, kind, family, result, parameters, arguments) result name parameters POISONED;
#include "base/hooks.def"
#ifdef __clang__
#pragma clang diagnostic pop
#endif

#endif
