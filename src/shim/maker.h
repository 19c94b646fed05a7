/* SPDX-License-Identifier: MIT */
/* Who asks for memory: where in a page that shall start (engine/block/placement.h). Python asks through functions of its own allocator, so
   that the place that calls malloc says little; which of its functions is at work is guessed from the return addresses on the stack, and
   from the size. A wrong guess costs what a plain copy costs, and the engine learns from it. */
#ifndef COWSHIM_SHIM_MAKER_H
#define COWSHIM_SHIM_MAKER_H

#include <stddef.h>
#include <stdint.h>

struct placement {
    uint32_t maker; /* for engine_add_made() */
    size_t lead;
};

/* Looks whether this process has a Python: before any other thread is there, for it asks the dynamic linker. */
void maker_start(void);
/* caller: the return address of the function of malloc's kin, which is on the stack above. */
struct placement maker_placement(const void *caller, size_t size);

#endif
