/* SPDX-License-Identifier: MIT */
/* Not under base/poison.h: this file is the table of the poisoned names. */
#include "base/next.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/page.h"

/* Memory for what dlsym() allocates while it runs: a few small buffers, once. One page for each keeps them page-aligned; 64 KiB is the
   largest page size that Linux uses on the machines that we build for. The memory is taken from the kernel when it is first asked for,
   which hardly ever happens; in .bss it would lie between our other variables and cost every process four system calls and faults. */
#define BOOTSTRAP_SLOT ((size_t)65536)
#define BOOTSTRAP_SLOTS 32

static char *bootstrap_memory; /* NULL: not taken yet */
static unsigned bootstrap_used;
/* Volatile: dlsym() is declared as a function that calls nothing of ours, but it may allocate. */
static volatile bool binding;

static void *bootstrap_take(size_t size)
{
    if (size > BOOTSTRAP_SLOT || bootstrap_used == BOOTSTRAP_SLOTS) {
        errno = ENOMEM;
        return NULL;
    }
    if (bootstrap_memory == NULL) {
        void *pages = sbrk((BOOTSTRAP_SLOTS + 1) * BOOTSTRAP_SLOT);

        if (pages == (void *)-1)
            return NULL; /* errno says it */
        bootstrap_memory = (char *)align_up((uintptr_t)pages, BOOTSTRAP_SLOT);
    }
    return bootstrap_memory + BOOTSTRAP_SLOT * bootstrap_used++;
}

bool next_is_bootstrap(const void *pointer)
{
    return bootstrap_memory != NULL && (uintptr_t)pointer - (uintptr_t)bootstrap_memory < BOOTSTRAP_SLOTS * BOOTSTRAP_SLOT;
}

size_t next_bootstrap_size(const void *pointer)
{
    return next_is_bootstrap(pointer) ? BOOTSTRAP_SLOT : 0;
}

/* The first call of any of these binds the table and continues with the real function. Only what dlsym() allocates meanwhile is served
   here. */
static void *bootstrap_malloc(size_t size)
{
    if (binding)
        return bootstrap_take(size);
    next_bind();
    return next.malloc(size);
}

static void *bootstrap_calloc(size_t count, size_t size)
{
    size_t total;

    if (!binding) {
        next_bind();
        return next.calloc(count, size);
    }
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return bootstrap_take(total);
}

static void *bootstrap_realloc(void *pointer, size_t size)
{
    if (!binding) {
        next_bind();
        return next.realloc(pointer, size);
    }
    if (pointer != NULL && size <= BOOTSTRAP_SLOT)
        return pointer;
    return bootstrap_take(size);
}

static void bootstrap_free(void *pointer)
{
    if (!binding && pointer != NULL) {
        next_bind();
        next.free(pointer);
    }
}

static int bootstrap_posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!binding) {
        next_bind();
        return next.posix_memalign(out, alignment, size);
    }
    *out = alignment <= BOOTSTRAP_SLOT ? bootstrap_take(size) : NULL;
    return *out == NULL ? ENOMEM : 0;
}

static void *bootstrap_memalign(size_t alignment, size_t size)
{
    if (!binding) {
        next_bind();
        return next.memalign(alignment, size);
    }
    return alignment <= BOOTSTRAP_SLOT ? bootstrap_take(size) : NULL;
}

static void *bootstrap_aligned_alloc(size_t alignment, size_t size)
{
    return bootstrap_memalign(alignment, size);
}

static void *bootstrap_memmove(void *to, const void *from, size_t size)
{
    volatile char *d = to;
    const volatile char *s = from;

    if ((uintptr_t)d - (uintptr_t)s >= size)
        for (size_t i = 0; i < size; i++)
            d[i] = s[i];
    else
        for (size_t i = size; i > 0; i--)
            d[i - 1] = s[i - 1];
    return to;
}

static void *bootstrap_memcpy(void *to, const void *from, size_t size)
{
    return bootstrap_memmove(to, from, size);
}

static void *bootstrap_memset(void *to, int value, size_t size)
{
    volatile unsigned char *d = to;

    for (size_t i = 0; i < size; i++)
        d[i] = (unsigned char)value;
    return to;
}

/* The others only bind first: constructors of other libraries run before ours and may call any of them (mimalloc's maps memory). */
#define DEFINE_REQUIRED(name, result, parameters, arguments)
#define DEFINE_LATE(name, result, parameters, arguments)
#define DEFINE_DERIVED(name, result, parameters, arguments)
#define DEFINE_OPTIONAL(name, result, parameters, arguments) \
    static result bootstrap_##name parameters \
    { \
        next_bind(); \
        return next.name arguments; \
    }
#define INTERPOSE(name, kind, family, result, parameters, arguments) DEFINE_##kind(name, result, parameters, arguments)
#define INTERPOSE_REST(name, family, result, parameters, last, count, arguments) \
    static result bootstrap_##name parameters \
    { \
        long rest[count]; \
        va_list list; \
        va_start(list, last); \
        for (int i = 0; i < (count); i++) \
            rest[i] = va_arg(list, long); \
        va_end(list); \
        next_bind(); \
        return next.name arguments; \
    }
#include "base/hooks.def"

#define START_REQUIRED(name) .name = bootstrap_##name,
#define START_OPTIONAL(name) .name = bootstrap_##name,
#define START_LATE(name) .name = NULL,
#define START_DERIVED(name)

struct next next = {
#define INTERPOSE(name, kind, family, result, parameters, arguments) START_##kind(name)
#include "base/hooks.def"
};

#define FIND_REQUIRED(name, result, parameters) found.name = (result(*) parameters)dlsym(RTLD_NEXT, #name);
#define FIND_OPTIONAL(name, result, parameters) FIND_REQUIRED(name, result, parameters)
#define FIND_LATE(name, result, parameters) found.name = next.name;
#define FIND_DERIVED(name, result, parameters)
#define KEEP_REQUIRED(name) \
    if (found.name == NULL) { \
        found.name = next.name; \
        missing = #name; \
    }
#define KEEP_OPTIONAL(name)
#define KEEP_LATE(name)
#define KEEP_DERIVED(name)

void next_bind(void)
{
    struct next found;
    const char *missing = NULL;

    if (binding)
        return;
    binding = true;
    /* dlsym only, and into a copy: what it allocates meanwhile must reach the bootstrap functions. */
#define INTERPOSE(name, kind, family, result, parameters, arguments) FIND_##kind(name, result, parameters)
#include "base/hooks.def"
    /* A required symbol that is missing keeps its bootstrap: a memcpy that is slow is better than a program that dies. */
#define INTERPOSE(name, kind, family, result, parameters, arguments) KEEP_##kind(name)
#include "base/hooks.def"
    next = found;
    binding = false;
    if (missing != NULL)
        log_error("no other library has %s: a slow one of ours is used", missing);
}

#define ADD_REQUIRED(name, result, parameters)
#define ADD_OPTIONAL(name, result, parameters)
#define ADD_LATE(name, result, parameters) next.name = (result(*) parameters)dlsym(RTLD_NEXT, #name);
#define ADD_DERIVED(name, result, parameters)

void next_bind_late(void)
{
#define INTERPOSE(name, kind, family, result, parameters, arguments) ADD_##kind(name, result, parameters)
#include "base/hooks.def"
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE /* <dlfcn.h> has it with _dl_find_object: glibc 2.35 and later */

/* Which library that is, without a lock. */
static struct link_map *library_of(void *function)
{
    struct dl_find_object found;

    return _dl_find_object(function, &found) == 0 ? found.dlfo_link_map : NULL;
}

bool next_is_glibc(void)
{
    struct link_map *library = library_of((void *)next.malloc);

    return library != NULL && library == library_of((void *)gnu_get_libc_version);
}

#else

bool next_is_glibc(void)
{
    return false;
}

#endif

/* The processor's own way to copy (rep movsb) was quicker than a loop wherever we measured it; glibc takes it for less than about what the
   second cache holds. */
#define PIECE ((size_t)256 << 10)

void bytes_copy(void *to, const void *from, size_t size)
{
    size_t done = 0;

    for (; size - done > PIECE; done += PIECE)
        next.memcpy((char *)to + done, (const char *)from + done, PIECE);
    next.memcpy((char *)to + done, (const char *)from + done, size - done);
}

void bytes_move(void *to, const void *from, size_t size)
{
    next.memmove(to, from, size);
}

void bytes_fill(void *to, int value, size_t size)
{
    next.memset(to, value, size);
}
