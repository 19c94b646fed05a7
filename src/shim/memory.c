/* SPDX-License-Identifier: MIT */
/* The program's memory calls on ranges that may contain blocks: what a call promises must hold although a store lies below. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

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
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* A mapping with other flags than the first two is a stack, locked, huge pages of hugetlbfs, or shared. Its protection does not matter:
   allocators reserve first, and the kernel is asked before each copy. */
#define EVERY_FLAG (MAP_PRIVATE | MAP_ANONYMOUS | MAP_SHARED | MAP_STACK | MAP_GROWSDOWN | MAP_LOCKED | MAP_HUGETLB)

/* Whether a call that failed should be made once more, because mappings were given up for it. */
static bool room_was_made(bool failed)
{
    return UNLIKELY(failed) && errno == ENOMEM && hot.started && engine_yield_mappings();
}

/* Whether the advice marks memory in a way that a view would not have, or puts something there that must stay. */
static bool marks(int advice)
{
    switch (advice) {
    case MADV_DONTFORK:
    case MADV_DONTDUMP:
    case MADV_WIPEONFORK:
    case MADV_MERGEABLE:
    case MADV_NOHUGEPAGE:    /* a mapping of ours would not have the mark */
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
    else if (advice == MADV_COLLAPSE)
        engine_memory_call(start, (size_t)page_up(size), MEMORY_COLLAPSE);
    else if (marks(advice))
        engine_memory_call(start, (size_t)page_up(size), MEMORY_KEEP);
}

static bool discards(int advice)
{
    return advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED;
}

static void zero(char *start, size_t size, int advice)
{
    enum engine_memory_call call = advice == MADV_DONTNEED ? MEMORY_ZERO : MEMORY_ZERO_LOCKED;
    void *from;
    size_t length;

    while (!engine_memory_call(start, size, call) && engine_peek(start, size, &from, &length)) {
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
    bool ours = hot.started && page_aligned((uintptr_t)start);
    bool zeroed = ours && discards(advice) && engine_zero_ahead(start, size);
    int result;

    if (ours)
        before_advice(start, size, advice);
    result = next.madvise(start, size, advice);
    if (!discards(advice) && room_was_made(result != 0))
        result = next.madvise(start, size, advice);
    /* Only what the kernel agreed to: it refuses locked memory, and then the contents must stay. ENOMEM speaks of a gap: all around it
       is done. */
    if (ours && !zeroed && discards(advice) && (result == 0 || errno == ENOMEM))
        zero((char *)start, (size_t)page_up(size), advice);
    if (ours && result != 0)
        correct_error(start, size, advice);
    return result;
}

/* Zeroes the first `left` bytes of the ranges. */
static void zero_ranges(const struct iovec *ranges, size_t count, size_t left, int advice)
{
    for (size_t i = 0; i < count && left > 0; i++) {
        size_t length = ranges[i].iov_len < left ? ranges[i].iov_len : left;

        zero(ranges[i].iov_base, (size_t)page_up(length), advice);
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
    for (size_t i = 0; hot.started && i < count && (advice == MADV_FREE || marks(advice)) && memory_readable(&ranges[i], sizeof *ranges);
         i++)
        engine_memory_call(ranges[i].iov_base, (size_t)page_up(ranges[i].iov_len), MEMORY_KEEP);
    result = next.process_madvise(process, ranges, count, advice, flags);
    if (hot.started && result < 0 && errno == EACCES) /* so the kernel has read the ranges */
        correct_error(ranges[0].iov_base, ranges[0].iov_len, advice);
    if (hot.started && result > 0 && discards(advice))
        zero_ranges(ranges, count, (size_t)result, advice);
    return result;
}

HOOK int mprotect(void *start, size_t size, int protection)
{
    bool usable = protection == (PROT_READ | PROT_WRITE);
    int result;

    /* What we map is not executable. */
    if (hot.started && !usable)
        engine_memory_call(start, size, (protection & PROT_EXEC) != 0 ? MEMORY_KEEP : MEMORY_EXCLUDE);
    result = next.mprotect(start, size, protection);
    if (room_was_made(result != 0))
        result = next.mprotect(start, size, protection);
    if (hot.started && !usable)
        engine_memory_call(start, size, MEMORY_SETTLED);
    else if (hot.started && result == 0)
        engine_memory_call(start, size, MEMORY_ADMIT);
    return result;
}

/* A mapping of ours in the place of the program's would have neither the protection key nor the kernel's seal (mseal) that the program
   puts on it, and a sealed mapping cannot be replaced: such ranges leave sharing. */
HOOK int pkey_mprotect(void *start, size_t size, int protection, int key)
{
    if (next.pkey_mprotect == NULL) {
        errno = ENOSYS;
        return -1;
    }
    if (key == -1)
        return mprotect(start, size, protection);
    if (hot.started)
        engine_memory_call(start, size, MEMORY_KEEP);
    return next.pkey_mprotect(start, size, protection, key);
}

/* A libc that does not know the call yet (before glibc 2.41) has it by number only. */
HOOK int mseal(void *start, size_t size, unsigned long flags)
{
    if (hot.started)
        engine_memory_call(start, size, MEMORY_KEEP);
    if (next.mseal != NULL)
        return next.mseal(start, size, flags);
    return (int)next.syscall(SYS_mseal, (long)start, (long)size, (long)flags, 0L, 0L, 0L);
}

HOOK void *shmat(int segment, const void *start, int flags)
{
    struct shmid_ds status;
    bool going = hot.started && start != NULL && (flags & SHM_REMAP) != 0 && shmctl(segment, IPC_STAT, &status) == 0 &&
                 engine_going(start, status.shm_segsz);
    void *got = next.shmat(segment, start, flags);

    if (going)
        engine_gone(start, status.shm_segsz, got != MAP_FAILED);
    return got;
}

HOOK int munmap(void *start, size_t size)
{
    bool going = hot.started && engine_going(start, size);
    int result = next.munmap(start, size);

    if (room_was_made(result != 0))
        result = next.munmap(start, size);
    if (going)
        engine_gone(start, size, result == 0);
    return result;
}

HOOK void *mmap(void *start, size_t size, int protection, int flags, int descriptor, off_t offset)
{
    bool going = (flags & MAP_FIXED) != 0 && hot.started && engine_going(start, size);
    void *got = next.mmap(start, size, protection, flags, descriptor, offset);

    if (room_was_made(got == MAP_FAILED))
        got = next.mmap(start, size, protection, flags, descriptor, offset);
    if ((flags & MAP_HUGETLB) != 0)
        engine_note_hugetlb();
    if (UNLIKELY(going))
        engine_gone(start, size, got != MAP_FAILED);
    if (UNLIKELY(size >= hot.min_mapping) && got != MAP_FAILED && (flags & EVERY_FLAG) == (MAP_PRIVATE | MAP_ANONYMOUS))
        engine_add_mapping(got, size);
    return got;
}

HOOK void *mmap64(void *start, size_t size, int protection, int flags, int descriptor, off64_t offset)
{
    return mmap(start, size, protection, flags, descriptor, offset);
}

/* What is one mapping to the program may be made of several because of us. */
static bool in_pieces(const void *start, size_t size, enum engine_place place)
{
    void *from;
    size_t length;

    return place == PLACE_PIECES || (place == PLACE_OTHER && engine_peek(start, size, &from, &length) && from == start && length == size);
}

/* Linux resizes one mapping at a time: what is several moves by its bytes. */
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
    enum engine_place place = hot.started && old_size > 0 ? engine_before_move(old, old_size) : PLACE_OTHER;
    bool going = false;
    int saved = errno;
    void *start;

    if (place == PLACE_STUCK) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    if (hot.started) {
        /* At its new place nobody would know that it shows a store, nor at the old one if it stays. */
        if (place == PLACE_OTHER)
            engine_memory_call(old, old_size, MEMORY_KEEP);
        engine_memory_call(old, old_size, MEMORY_GONE);
        going = target != NULL && engine_going(target, size);
    }
    start = next.mremap(old, old_size, size, flags, target);
    if (start == MAP_FAILED && errno == EFAULT && hot.started && in_pieces(old, old_size, place)) {
        errno = saved;
        if ((flags & ~MREMAP_FIXED) == MREMAP_MAYMOVE)
            start = move_by_bytes(old, old_size, size, target);
        else
            errno = ENOMEM; /* as if there were no room behind it */
    }
    if (going)
        engine_gone(target, size, start != MAP_FAILED);
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
    if (hot.started)
        engine_memory_call(start, size, MEMORY_KEEP);
    return next.mlock(start, size);
}

HOOK int mlock2(const void *start, size_t size, unsigned flags)
{
    if (hot.started)
        engine_memory_call(start, size, MEMORY_KEEP);
    return next.mlock2(start, size, flags);
}

HOOK int mlockall(int flags)
{
    int result = next.mlockall(flags);

    if (hot.started && result == 0)
        engine_stop_sharing(STOP_LOCKED, true);
    return result;
}

HOOK int munlockall(void)
{
    int result = next.munlockall();

    if (hot.started && result == 0)
        engine_stop_sharing(STOP_LOCKED, false);
    return result;
}
