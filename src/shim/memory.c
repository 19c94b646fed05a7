/* SPDX-License-Identifier: MIT */
/* The program's memory calls on ranges that may contain blocks: what a call promises must hold although a store lies below. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/page.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "shim/hook.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

/* A mapping with other flags than the first two is a stack, locked, huge pages of hugetlbfs, or shared. Its protection does not matter:
   allocators reserve first, and the kernel is asked before each copy. */
#define EVERY_FLAG (MAP_PRIVATE | MAP_ANONYMOUS | MAP_SHARED | MAP_STACK | MAP_GROWSDOWN | MAP_LOCKED | MAP_HUGETLB)
#define STARTED (hot.min_copy != SIZE_MAX)

/* What must be true before the kernel sees the call: MADV_FREE would refuse a view, and takes zeros at any time. */
static void before_advice(void *start, size_t size, int advice)
{
    switch (advice) {
    case MADV_FREE:
        engine_memory_call(start, (size_t)page_up(size), MEMORY_FREE);
        break;
    case MADV_HUGEPAGE:
        engine_memory_call(start, size, MEMORY_HUGE);
        break;
    case MADV_DONTFORK:
    case MADV_DONTDUMP:
    case MADV_WIPEONFORK:
    case MADV_MERGEABLE:
        engine_memory_call(start, (size_t)page_up(size), MEMORY_KEEP);
        break;
    default:
        break;
    }
}

static void zero(char *start, size_t size)
{
    void *from;
    size_t length;

    while (!engine_memory_call(start, size, MEMORY_ZERO) && engine_peek(start, size, &from, &length)) {
        bytes_fill(from, 0, length);
        if ((char *)from == start)
            return;
        size = (size_t)((char *)from - start); /* the last block first */
    }
}

HOOK int madvise(void *start, size_t size, int advice)
{
    bool ours = STARTED && page_aligned((uintptr_t)start);
    int result;

    if (ours)
        before_advice(start, size, advice);
    result = next.madvise(start, size, advice);
    /* Only what the kernel agreed to: it refuses locked memory, and then the contents must stay. */
    if (ours && result == 0 && (advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED))
        zero((char *)start, (size_t)page_up(size));
    return result;
}

HOOK int mprotect(void *start, size_t size, int protection)
{
    bool usable = protection == (PROT_READ | PROT_WRITE);
    int result;

    /* What we map is not executable. */
    if (STARTED && !usable)
        engine_memory_call(start, size, (protection & PROT_EXEC) != 0 ? MEMORY_KEEP : MEMORY_EXCLUDE);
    result = next.mprotect(start, size, protection);
    if (STARTED && !usable)
        engine_memory_call(start, size, MEMORY_SETTLED);
    else if (STARTED && result == 0)
        engine_memory_call(start, size, MEMORY_ADMIT);
    return result;
}

HOOK int munmap(void *start, size_t size)
{
    if (STARTED)
        engine_memory_call(start, size, MEMORY_GONE);
    return next.munmap(start, size);
}

HOOK void *mmap(void *start, size_t size, int protection, int flags, int descriptor, off_t offset)
{
    void *got;

    if (STARTED && (flags & MAP_FIXED) != 0)
        engine_memory_call(start, size, MEMORY_GONE);
    got = next.mmap(start, size, protection, flags, descriptor, offset);
    if (UNLIKELY(size >= hot.min_mapping) && got != MAP_FAILED && (flags & EVERY_FLAG) == (MAP_PRIVATE | MAP_ANONYMOUS))
        engine_add_mapping(got, size);
    return got;
}

#ifndef mmap64 /* musl has one name for both */
HOOK void *mmap64(void *start, size_t size, int protection, int flags, int descriptor, off64_t offset)
{
    return mmap(start, size, protection, flags, descriptor, offset);
}
#endif

/* Linux resizes one mapping at a time, and what is one to the program may be made of several: then it moves by its bytes. */
static void *move_by_bytes(void *old, size_t old_size, size_t size, void *target)
{
    int fixed = target != NULL ? MAP_FIXED : 0;
    void *start = next.mmap(target, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);

    if (start != MAP_FAILED) {
        bytes_copy(start, old, old_size < size ? old_size : size);
        next.munmap(old, old_size);
    }
    return start;
}

static void *remap(void *old, size_t old_size, size_t size, int flags, void *target)
{
    enum engine_place place = STARTED && old_size > 0 ? engine_before_move(old, old_size) : PLACE_OTHER;
    int saved = errno;
    void *start;

    if (place == PLACE_STUCK) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (STARTED) {
        engine_memory_call(old, old_size, MEMORY_GONE);
        if (target != NULL)
            engine_memory_call(target, size, MEMORY_GONE);
    }
    start = next.mremap(old, old_size, size, flags, target);
    if (start == MAP_FAILED && errno == EFAULT && place == PLACE_PIECES) {
        errno = saved;
        if ((flags & ~MREMAP_FIXED) == MREMAP_MAYMOVE)
            start = move_by_bytes(old, old_size, size, target);
        else
            errno = ENOMEM; /* as if there were no room behind it */
    }
    if (start == MAP_FAILED && old_size >= hot.min_mapping && place != PLACE_OTHER)
        engine_add_mapping(old, old_size);
    if (start != MAP_FAILED && size >= hot.min_mapping && place != PLACE_OTHER)
        engine_add_mapping(start, size);
    return start;
}

HOOK void *mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
    va_list arguments;
    void *target = NULL;

    va_start(arguments, flags);
    if ((flags & MREMAP_FIXED) != 0)
        target = va_arg(arguments, void *);
    va_end(arguments);
    return remap(old, old_size, size, flags, target);
}

HOOK int mlock(const void *start, size_t size)
{
    if (STARTED)
        engine_memory_call(start, size, MEMORY_KEEP);
    return next.mlock(start, size);
}

HOOK int mlock2(const void *start, size_t size, unsigned flags)
{
    if (STARTED)
        engine_memory_call(start, size, MEMORY_KEEP);
    return next.mlock2(start, size, flags);
}

HOOK int mlockall(int flags)
{
    int result = next.mlockall(flags);

    if (STARTED && result == 0)
        engine_suspend(true);
    return result;
}

HOOK int munlockall(void)
{
    int result = next.munlockall();

    if (STARTED && result == 0)
        engine_suspend(false);
    return result;
}
