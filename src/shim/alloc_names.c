/* SPDX-License-Identifier: MIT */
/* The other names by which memory of malloc is freed, resized and measured: C23's, jemalloc's, and one that old programs have. The next
   allocator must never see a pointer of ours; all else is for its own function, or, where it has none, for the one that every
   allocator has: that these names are there does not say whose they are, and a program that finds them calls them. */
#include <stdbool.h>

#include "base/bytes.h"
#include "engine/engine.h"
#include "shim/hook.h"

/* jemalloc's flags: the logarithm of the alignment, and that what is new shall be zero. */
#define ALIGNMENT_BITS 0x3f
#define ALIGNMENT(flags) ((size_t)1 << ((flags)&ALIGNMENT_BITS))
#define ASKS_ZERO 0x40

HOOK void cfree(void *pointer)
{
    free(pointer);
}

/* True: the pointer was freed, as a block of ours or, where the next allocator has no such function, by the one that all have. */
static bool free_here(void *pointer, bool is_there)
{
    if (is_there)
        return MAY_BE_BLOCK(pointer) && shim_free_own(pointer);
    free(pointer);
    return true;
}

HOOK void free_sized(void *pointer, size_t size)
{
    if (!free_here(pointer, next.free_sized != NULL))
        next.free_sized(pointer, size);
}

HOOK void free_aligned_sized(void *pointer, size_t alignment, size_t size)
{
    if (!free_here(pointer, next.free_aligned_sized != NULL))
        next.free_aligned_sized(pointer, alignment, size);
}

HOOK void dallocx(void *pointer, int flags)
{
    if (!free_here(pointer, next.dallocx != NULL))
        next.dallocx(pointer, flags);
}

HOOK void sdallocx(void *pointer, size_t size, int flags)
{
    if (!free_here(pointer, next.sdallocx != NULL))
        next.sdallocx(pointer, size, flags);
}

static bool is_own(const void *pointer)
{
    struct engine_block block;

    return MAY_BE_BLOCK(pointer) && (next_is_bootstrap(pointer) || engine_look_up(pointer, &block));
}

/* To another place, for what realloc() does not promise. */
static void *reallocate_with(void *old, size_t size, int flags)
{
    size_t had = malloc_usable_size(old);
    size_t kept = had < size ? had : size;
    char *start = memalign(ALIGNMENT(flags), size);
    size_t room;

    if (start == NULL)
        return NULL;
    memcpy(start, old, kept);
    room = malloc_usable_size(start);
    if ((flags & ASKS_ZERO) != 0 && room > kept)
        bytes_fill(start + kept, 0, room - kept);
    free(old);
    return start;
}

HOOK void *rallocx(void *pointer, size_t size, int flags)
{
    if (next.rallocx != NULL && !is_own(pointer))
        return next.rallocx(pointer, size, flags);
    if ((flags & (ALIGNMENT_BITS | ASKS_ZERO)) == 0)
        return realloc(pointer, size);
    return reallocate_with(pointer, size, flags);
}

/* A block stays as large as it is: the program is told so, and may use all of it. */
HOOK size_t xallocx(void *pointer, size_t size, size_t extra, int flags)
{
    if (next.xallocx != NULL && !is_own(pointer))
        return next.xallocx(pointer, size, extra, flags);
    return malloc_usable_size(pointer);
}

HOOK size_t sallocx(const void *pointer, int flags)
{
    if (next.sallocx != NULL && !is_own(pointer))
        return next.sallocx(pointer, flags);
    return malloc_usable_size((void *)pointer);
}
