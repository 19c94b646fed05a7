/* SPDX-License-Identifier: MIT */
/* malloc and its kin. A large request goes to the next allocator with a page more, and the program gets the first page boundary
   inside, or what is to hold a header first gets so much less (maker.h); the registry knows what to give back. Every pointer of ours is at
   one of these two places in a page, so that free() of any other is one test. */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "base/page.h"
#include "base/thread.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "shim/hook.h"
#include "shim/maker.h"

/* Blocks from here on start on a huge page, so that views of huge stores are mapped 2 MiB at a time. glibc maps requests of this
   size afresh, so that the slack is address space and never memory. */
#define HUGE_FROM ((size_t)32 << 20)

#define BIG(size) UNLIKELY((size) >= hot.min_block)
#define NOTICED(size) UNLIKELY((size) >= hot.min_allocation)

/* With a page more such a request would be beyond glibc's largest mmap threshold, and be mapped afresh each time, where without us it comes
   from memory in use. Therefore it becomes no block. */
#define CHUNK_OVERHEAD 32

static bool crosses_threshold(size_t size)
{
    return size < HUGE_FROM - CHUNK_OVERHEAD && size + page_size >= HUGE_FROM - CHUNK_OVERHEAD;
}

static size_t slack_for(size_t size, size_t alignment)
{
    size_t slack = size > HUGE_FROM ? HUGE_SIZE : page_size;

    return alignment > slack ? alignment : slack;
}

/* Frees one block whose memory could not be returned when the program freed it. */
static void free_stuck(void)
{
    void *raw = engine_take_stuck();

    if (UNLIKELY(raw != NULL))
        next.free(raw);
}

/* Set while the next allocator works for us. It may implement its calloc, realloc or memalign by calling malloc by name, which is our
   malloc (musl and many small libraries do so). It must then get its own memory, and no block. */
static THREAD_LOCAL bool asking;

static void *ask_for(size_t size, bool zero)
{
    void *raw;

    asking = true;
    raw = zero ? next.calloc(1, size) : next.malloc(size);
    asking = false;
    return raw;
}

static void *ask_for_other(void *raw, size_t size)
{
    asking = true;
    raw = next.realloc(raw, size);
    asking = false;
    return raw;
}

/* Returns NULL where the request must go to the next allocator unchanged. */
static __attribute__((noinline)) void *allocate(size_t size, size_t alignment, bool zero, struct placement placement)
{
    size_t slack = slack_for(size, alignment);
    size_t total;
    void *raw;
    void *start;
    int saved = errno;

    if (asking || crosses_threshold(size) || __builtin_add_overflow(size, slack, &total))
        return NULL;
    free_stuck();
    raw = ask_for(total, zero);
    if (raw == NULL && engine_yield_mappings())
        raw = ask_for(total, zero);
    if (raw == NULL) {
        errno = saved;
        return NULL;
    }
    start = (void *)(align_up((uintptr_t)raw + placement.lead, slack) - placement.lead);
    if (engine_add_made(start, size, raw, placement.maker))
        return start;
    next.free(raw);
    return NULL;
}

/* At a page boundary, whoever asks. */
static const struct placement at_boundary = {0, 0};

/* The same, for requests of any size. */
static __attribute__((noinline)) void *allocate_noticed(size_t size, bool zero, const void *caller)
{
    if (size >= hot.min_block)
        return allocate(size, 1, zero, maker_placement(caller, size));
    if (!asking)
        glance();
    return NULL;
}

void *shim_allocate(size_t size)
{
    return allocate(size, 1, false, at_boundary);
}

HOOK void *malloc(size_t size)
{
    void *start = NOTICED(size) ? allocate_noticed(size, false, __builtin_return_address(0)) : NULL;

    return start != NULL ? start : next.malloc(size);
}

HOOK void *calloc(size_t count, size_t size)
{
    size_t total;
    void *start = NULL;

    if (!__builtin_mul_overflow(count, size, &total) && NOTICED(total))
        start = allocate_noticed(total, true, __builtin_return_address(0));
    return start != NULL ? start : next.calloc(count, size);
}

static bool power_of_two(size_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* The largest request that the next allocator may make of malloc to satisfy this alignment. */
#define BIG_WITH(alignment, size) BIG((size) + (alignment))

static __attribute__((noinline)) void *allocate_aligned(void *(*plainly)(size_t, size_t), size_t alignment, size_t size)
{
    void *start = BIG(size) && power_of_two(alignment) ? allocate(size, alignment, false, at_boundary) : NULL;
    bool nested = asking;

    if (start != NULL)
        return start;
    asking = true;
    start = plainly(alignment, size);
    asking = nested;
    return start;
}

static __attribute__((noinline)) int allocate_aligned_posix(void **out, size_t alignment, size_t size)
{
    bool ours = BIG(size) && power_of_two(alignment) && alignment % sizeof(void *) == 0;
    void *start = ours ? allocate(size, alignment, false, at_boundary) : NULL;
    bool nested = asking;
    int error;

    if (start != NULL) {
        *out = start;
        return 0;
    }
    asking = true;
    error = next.posix_memalign(out, alignment, size);
    asking = nested;
    return error;
}

HOOK int posix_memalign(void **out, size_t alignment, size_t size)
{
    return BIG_WITH(alignment, size) ? allocate_aligned_posix(out, alignment, size) : next.posix_memalign(out, alignment, size);
}

HOOK void *aligned_alloc(size_t alignment, size_t size)
{
    return BIG_WITH(alignment, size) ? allocate_aligned(next.aligned_alloc, alignment, size) : next.aligned_alloc(alignment, size);
}

HOOK void *memalign(size_t alignment, size_t size)
{
    return BIG_WITH(alignment, size) ? allocate_aligned(next.memalign, alignment, size) : next.memalign(alignment, size);
}

HOOK void *valloc(size_t size)
{
    return memalign(page_size, size);
}

HOOK void *pvalloc(size_t size)
{
    size_t rounded = (size_t)page_up(size);

    if (rounded < size) {
        errno = ENOMEM;
        return NULL;
    }
    return memalign(page_size, rounded);
}

bool shim_free_own(void *pointer)
{
    void *raw;

    if (pointer == NULL || next_is_bootstrap(pointer))
        return true;
    if (!engine_remove(pointer, &raw))
        return false;
    if (raw != NULL)
        next.free(raw);
    free_stuck();
    return true;
}

static __attribute__((noinline)) void free_aligned(void *pointer)
{
    if (!shim_free_own(pointer))
        next.free(pointer);
}

HOOK void free(void *pointer)
{
    if (MAY_BE_BLOCK(pointer))
        free_aligned(pointer);
    else
        next.free(pointer);
}

static size_t usable_size_of(void *pointer)
{
    return next.malloc_usable_size == NULL ? 0 : next.malloc_usable_size(pointer);
}

HOOK size_t malloc_usable_size(void *pointer)
{
    struct engine_block block;
    size_t usable;

    if (!MAY_BE_BLOCK(pointer) || pointer == NULL)
        return usable_size_of(pointer);
    if (next_is_bootstrap(pointer))
        return next_bootstrap_size(pointer);
    if (!engine_look_up(pointer, &block) || block.registered)
        return usable_size_of(pointer);
    if (block.raw == NULL)
        return block.size;
    usable = usable_size_of(block.raw) - (size_t)((char *)pointer - (char *)block.raw);
    /* The program may now use all of these bytes, so copies of the block include them. */
    if (usable > block.size)
        engine_set_size(pointer, usable);
    return usable > block.size ? usable : block.size;
}

/* A new place for memory that realloc() cannot leave where it is. */
static void *allocate_anew(size_t size, struct placement placement)
{
    void *start = BIG(size) ? allocate(size, 1, false, placement) : NULL;

    return start != NULL ? start : next.malloc(size);
}

/* Moves memory that is no block into a new block: allocates it, copies the bytes, frees the old memory. */
static void *reallocate_by_copy(void *old, size_t old_size, size_t size, const void *caller)
{
    void *start = allocate_anew(size, maker_placement(caller, size));

    if (start == NULL)
        return NULL;
    bytes_copy(start, old, old_size < size ? old_size : size);
    free(old);
    return start;
}

/* What is congruent with a block stays so when that is resized. */
static size_t lead_of(const void *start)
{
    return page_aligned((uintptr_t)start) ? 0 : ENGINE_LEAD;
}

/* No page of the block shows a store: the allocator resizes it, with mremap if it can. What it moved may lie at another place
   relative to the page, then it moves once more inside the slack. */
static void *resize_plain(struct block *block, void *old, const struct engine_block *was, size_t size)
{
    size_t offset = (size_t)((char *)old - (char *)was->raw);
    size_t lead = lead_of(old);
    size_t slack = slack_for(size, 1) > offset ? slack_for(size, 1) : offset;
    size_t total;
    char *raw = NULL;
    char *start;

    if (!__builtin_add_overflow(size, slack, &total))
        raw = ask_for_other(was->raw, total);
    else
        errno = ENOMEM;
    if (raw == NULL) {
        engine_return(block, old, was->size, was->raw);
        return NULL;
    }
    start = raw + offset;
    if (!page_aligned((uintptr_t)start + lead)) {
        start = (char *)page_up((uintptr_t)raw + lead) - lead;
        bytes_move(start, raw + offset, was->size < size ? was->size : size);
    }
    engine_return(block, start, size, raw);
    return start;
}

/* Pages of the block show stores, which the allocator must not find in memory that it gets back. */
static void *resize_views(void *old, const struct engine_block *was, size_t size)
{
    size_t room = was->raw == NULL ? was->size : usable_size_of(was->raw) - (size_t)((char *)old - (char *)was->raw);
    void *start;

    if (size <= room) {
        if (size < was->size)
            engine_shrink(old, size);
        else
            engine_set_size(old, size);
        return old;
    }
    start = allocate_anew(size, (struct placement){was->maker, lead_of(old)});
    if (start == NULL)
        return NULL;
    engine_move(start, old, was->size);
    free(old);
    return start;
}

static void *resize_block(void *old, const struct engine_block *was, size_t size)
{
    struct block *block = was->has_views ? NULL : engine_withdraw(old);

    return block != NULL ? resize_plain(block, old, was, size) : resize_views(old, was, size);
}

/* The program registered memory of the next allocator, and now frees or resizes it: the allocator gets the pointer that it gave out. */
static void *reallocate_registered(void *old, const struct engine_block *was, size_t size)
{
    int error = engine_unregister(old, was->size);

    if (error == -ENOMEM) {
        errno = ENOMEM;
        return NULL;
    }
    return next.realloc(old, size);
}

static __attribute__((noinline)) void *reallocate(void *old, size_t size, const void *caller)
{
    struct engine_block was;
    size_t old_size;

    if (next_is_bootstrap(old))
        return reallocate_by_copy(old, next_bootstrap_size(old), size, caller);
    if (MAY_BE_BLOCK(old) && engine_look_up(old, &was)) {
        if (was.registered)
            return reallocate_registered(old, &was, size);
        if (size != 0)
            return resize_block(old, &was, size);
        free(old);
        return NULL;
    }
    old_size = usable_size_of(old);
    /* Small memory that grows large becomes a block; large memory that is none stays what it is. */
    if (!BIG(size) || old_size == 0 || old_size >= hot.min_block)
        return next.realloc(old, size);
    return reallocate_by_copy(old, old_size, size, caller);
}

HOOK void *realloc(void *old, size_t size)
{
    if (old == NULL)
        return malloc(size);
    if (MAY_BE_BLOCK(old) || BIG(size))
        return reallocate(old, size, __builtin_return_address(0));
    if (NOTICED(size) && !asking)
        glance();
    return next.realloc(old, size);
}

HOOK void *reallocarray(void *old, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, total);
}
