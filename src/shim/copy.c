/* SPDX-License-Identifier: MIT */
/* memcpy, memmove, memset and their kin. Below COWSHIM_MIN_SIZE: one compare and a jump to the next definition.
   Not with <string.h>: it says nonnull, and then the compiler would drop checks that callers rely on. */
#include <stdbool.h>
#include <wchar.h>

#include "engine/engine.h"
#include "engine/report/observe.h"
#include "shim/hook.h"

#define CALLER __builtin_return_address(0)
#define BIG(size) UNLIKELY((size) >= hot.min_copy)

/* True: the copy was made. Copies that are too small for that only serve as occasions to look, and observers are told of them. */
static bool copy_by_engine(void *to, const void *from, size_t size, const void *caller)
{
    if (size >= hot.min_size)
        return engine_copy(to, from, size, caller) != COPIED_NOT;
    glance();
    if (size >= hot.min_observed)
        engine_note_copy(to, from, size);
    return false;
}

static __attribute__((noinline)) void *copy_big(void *to, const void *from, size_t size, const void *caller)
{
    return copy_by_engine(to, from, size, caller) ? to : next.memcpy(to, from, size);
}

static __attribute__((noinline)) void *move_big(void *to, const void *from, size_t size, const void *caller)
{
    return copy_by_engine(to, from, size, caller) ? to : next.memmove(to, from, size);
}

static __attribute__((noinline)) void *fill_big(void *to, int value, size_t size)
{
    if (size < hot.min_size)
        glance();
    else if (engine_fill(to, value, size))
        return to;
    return next.memset(to, value, size);
}

HOOK void *memcpy(void *to, const void *from, size_t size)
{
    return BIG(size) ? copy_big(to, from, size, CALLER) : next.memcpy(to, from, size);
}

HOOK void *memmove(void *to, const void *from, size_t size)
{
    return BIG(size) ? move_big(to, from, size, CALLER) : next.memmove(to, from, size);
}

HOOK void *memset(void *to, int value, size_t size)
{
    return BIG(size) ? fill_big(to, value, size) : next.memset(to, value, size);
}

HOOK void *mempcpy(void *to, const void *from, size_t size)
{
    return (char *)memcpy(to, from, size) + size;
}

HOOK void bcopy(const void *from, void *to, size_t size)
{
    memmove(to, from, size);
}

HOOK void bzero(void *to, size_t size)
{
    memset(to, 0, size);
}

/* The bytes are overwritten first. After that no view shows the secret, and the pages of the store that hold it can be found dead. */
HOOK void explicit_bzero(void *to, size_t size)
{
    next.memset(to, 0, size);
    engine_wiped(to, size);
}

/* A destination that is too small is glibc's to report: it ends the program with its own message. */
HOOK void *__memcpy_chk(void *to, const void *from, size_t size, size_t room)
{
    return UNLIKELY(size > room) ? next.__memcpy_chk(to, from, size, room) : memcpy(to, from, size);
}

HOOK void *__memmove_chk(void *to, const void *from, size_t size, size_t room)
{
    return UNLIKELY(size > room) ? next.__memmove_chk(to, from, size, room) : memmove(to, from, size);
}

HOOK void *__mempcpy_chk(void *to, const void *from, size_t size, size_t room)
{
    return (char *)__memcpy_chk(to, from, size, room) + size;
}

HOOK void *__memset_chk(void *to, int value, size_t size, size_t room)
{
    return UNLIKELY(size > room) ? next.__memset_chk(to, value, size, room) : memset(to, value, size);
}

HOOK void __explicit_bzero_chk(void *to, size_t size, size_t room)
{
    if (UNLIKELY(size > room))
        next.__memset_chk(to, 0, size, room);
    else
        explicit_bzero(to, size);
}

#define WIDE(count) ((count) * sizeof(wchar_t))

HOOK wchar_t *wmemcpy(wchar_t *to, const wchar_t *from, size_t count)
{
    return memcpy(to, from, WIDE(count));
}

HOOK wchar_t *wmemmove(wchar_t *to, const wchar_t *from, size_t count)
{
    return memmove(to, from, WIDE(count));
}

HOOK wchar_t *wmempcpy(wchar_t *to, const wchar_t *from, size_t count)
{
    return (wchar_t *)memcpy(to, from, WIDE(count)) + count;
}

/* Here room counts wide characters; any number of bytes above it makes glibc's check fail as it should. */
HOOK wchar_t *__wmemcpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t room)
{
    return UNLIKELY(count > room) ? next.__memcpy_chk(to, from, 1, 0) : wmemcpy(to, from, count);
}

HOOK wchar_t *__wmemmove_chk(wchar_t *to, const wchar_t *from, size_t count, size_t room)
{
    return UNLIKELY(count > room) ? next.__memmove_chk(to, from, 1, 0) : wmemmove(to, from, count);
}

HOOK wchar_t *__wmempcpy_chk(wchar_t *to, const wchar_t *from, size_t count, size_t room)
{
    return __wmemcpy_chk(to, from, count, room) + count;
}
