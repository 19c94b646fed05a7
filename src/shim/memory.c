/* SPDX-License-Identifier: MIT */
/* The program's memory calls on ranges that may contain blocks: what a call promises must hold although a store lies below. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/page.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "kernel/holders.h"
#include "shim/hook.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* A mapping with other flags than the first two is a stack, locked, huge pages of hugetlbfs, or shared. Its protection does not matter:
   allocators reserve first, and the kernel is asked before each copy. */
#define EVERY_FLAG (MAP_PRIVATE | MAP_ANONYMOUS | MAP_SHARED | MAP_STACK | MAP_GROWSDOWN | MAP_LOCKED | MAP_HUGETLB)
#define STARTED (hot.min_copy != SIZE_MAX)

/* Makes memory the program's own business, or puts something there that stays. */
static bool marks(int advice)
{
    switch (advice) {
    case MADV_DONTFORK:
    case MADV_DONTDUMP:
    case MADV_WIPEONFORK:
    case MADV_MERGEABLE:
    case MADV_GUARD_INSTALL: /* what it discards would come back from a store */
        return true;
    default:
        return false;
    }
}

/* What must be true before the kernel sees the call: MADV_FREE would refuse a view, and takes zeros at any time. */
static void before_advice(void *start, size_t size, int advice)
{
    if (advice == MADV_FREE)
        engine_memory_call(start, (size_t)page_up(size), MEMORY_FREE);
    else if (advice == MADV_HUGEPAGE)
        engine_memory_call(start, size, MEMORY_HUGE);
    else if (marks(advice))
        engine_memory_call(start, (size_t)page_up(size), MEMORY_KEEP);
}

static bool discards(int advice)
{
    return advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED;
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

/* Of a view the kernel says EACCES, of the anonymous memory that the program has EINVAL. */
static void correct_error(const void *start, size_t size, int advice)
{
    void *from;
    size_t length;

    if (advice == MADV_REMOVE && errno == EACCES && engine_peek(start, size, &from, &length))
        errno = EINVAL;
}

HOOK int madvise(void *start, size_t size, int advice)
{
    bool ours = STARTED && page_aligned((uintptr_t)start);
    int result;

    if (ours)
        before_advice(start, size, advice);
    result = next.madvise(start, size, advice);
    /* Only what the kernel agreed to: it refuses locked memory, and then the contents must stay. */
    if (ours && result == 0 && discards(advice))
        zero((char *)start, (size_t)page_up(size));
    if (ours && result != 0)
        correct_error(start, size, advice);
    return result;
}

/* The first so many bytes of the ranges. */
static void zero_ranges(const struct iovec *ranges, size_t count, size_t left)
{
    for (size_t i = 0; i < count && left > 0; i++) {
        size_t length = ranges[i].iov_len < left ? ranges[i].iov_len : left;

        zero(ranges[i].iov_base, (size_t)page_up(length));
        left -= length;
    }
}

/* The kernel allows what changes contents or marks on the caller's own memory only. For the memory of another process nothing is
   lost by what is done before the call. */
HOOK ssize_t process_madvise(int process, const struct iovec *ranges, size_t count, int advice, unsigned flags)
{
    ssize_t result;

    if (next.process_madvise == NULL) {
        errno = ENOSYS;
        return -1;
    }
    for (size_t i = 0; STARTED && i < count && (advice == MADV_FREE || marks(advice)); i++)
        engine_memory_call(ranges[i].iov_base, (size_t)page_up(ranges[i].iov_len), MEMORY_KEEP);
    result = next.process_madvise(process, ranges, count, advice, flags);
    if (STARTED && result < 0 && count > 0)
        correct_error(ranges[0].iov_base, ranges[0].iov_len, advice);
    if (STARTED && result > 0 && discards(advice))
        zero_ranges(ranges, count, (size_t)result);
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

HOOK void *mmap64(void *start, size_t size, int protection, int flags, int descriptor, off64_t offset)
{
    return mmap(start, size, protection, flags, descriptor, offset);
}

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
        /* At its new place nobody would know that it shows a store, nor at the old one if it stays. */
        if (place == PLACE_OTHER)
            engine_memory_call(old, old_size, MEMORY_KEEP);
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

bool memory_syscall(long number, const long *a, long *result)
{
    switch (number) {
    case SYS_io_uring_setup:
    case SYS_io_setup:
        holders_note(HOLDER_RING);
        return false;
    case SYS_userfaultfd:
        holders_note(HOLDER_PAGER);
        return false;
    case SYS_madvise:
        *result = madvise((void *)a[0], (size_t)a[1], (int)a[2]);
        return true;
    case SYS_mprotect:
        *result = mprotect((void *)a[0], (size_t)a[1], (int)a[2]);
        return true;
    case SYS_munmap:
        *result = munmap((void *)a[0], (size_t)a[1]);
        return true;
#ifdef SYS_mmap
    case SYS_mmap:
        *result = (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
        return true;
#endif
    case SYS_mremap:
        *result = (long)mremap((void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], (void *)a[4]);
        return true;
    case SYS_mlock:
        *result = mlock((void *)a[0], (size_t)a[1]);
        return true;
    case SYS_mlock2:
        *result = mlock2((void *)a[0], (size_t)a[1], (unsigned)a[2]);
        return true;
    case SYS_mlockall:
        *result = mlockall((int)a[0]);
        return true;
    case SYS_munlockall:
        *result = munlockall();
        return true;
#ifdef SYS_process_madvise
    case SYS_process_madvise:
        *result = process_madvise((int)a[0], (const struct iovec *)a[1], (size_t)a[2], (int)a[3], (unsigned)a[4]);
        return true;
#endif
    default:
        return false;
    }
}
