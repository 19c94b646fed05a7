/* SPDX-License-Identifier: MIT */
/* The observer: what it does with what the engine tells. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "engine/counters.h"
#include "engine/observe.h"
#include "profile/block.h"
#include "profile/clock.h"
#include "profile/format.h"
#include "profile/memory.h"
#include "profile/sample.h"
#include "profile/stack.h"
#include "profile/tell.h"
#include "profile/trail.h"

/* Looking again at what changed may take one part in this many of the time, and all of it this long at the end. */
#define AGAIN_SHARE 64
#define AGAIN_PAUSE UINT64_C(10000000)
#define AGAIN_AT_END UINT64_C(300000000)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct observer observer;
static size_t page_bytes;
static uint64_t started_at;
static uint64_t again_spent, again_round; /* time; when the last round over all blocks began */
static uintptr_t again_next;              /* where it goes on */

static THREAD_LOCAL struct watched *in_limbo; /* what left last: it may return */
static THREAD_LOCAL uintptr_t in_limbo_start;
static THREAD_LOCAL bool small_unseen; /* the small copy that comes next was not looked at */
static _Atomic uint32_t unseen_copies;  /* those that the next one that is seen stands for */
static _Atomic uint64_t unseen_bytes;

struct section {
    int saved_errno;
};

/* Holds the lock, with a trail to write to. */
static struct section section_begin(void);

static void section_end(struct section section)
{
    pthread_mutex_unlock(&lock);
    errno = section.saved_errno;
}

static void look(bool too_small)
{
    int saved = errno;

    if (too_small)
        small_unseen = !stack_affords_small();
    else
        stack_look();
    errno = saved;
}

/* In a forked child, also what it inherited. */
static void open_trail(void)
{
    if (!trail_open())
        return;
    memory_measure(SIZE_MAX);
    tell_begin(observer.substitute);
    for (struct watched *block = watched_from(0); block != NULL; block = watched_after(block)) {
        struct trail_block what = {.start = block->node.key, .size = block->size};

        block->count = 0;
        tell_block(TRAIL_ADDED, TRAIL_INHERITED, &what, NULL);
    }
}

static struct section section_begin(void)
{
    struct section section = {errno};

    pthread_mutex_lock(&lock);
    if (!trail_is_open())
        open_trail();
    return section;
}

/* Tells what changed in the pages [first, end) of a block. */
static void look_again(struct watched *block, uint32_t first, uint32_t end)
{
    static struct trail_sample changed[SAMPLES_MOST];
    struct trail_block what = {.start = block->node.key, .size = block->size};

    if (block->count == 0)
        return;
    what.samples = sample_again(block, first, end, changed);
    tell_block(TRAIL_CHANGED, 0, &what, changed);
}

/* The next one with samples, from where we stopped. */
static struct watched *next_to_look_at(void)
{
    struct watched *block = watched_from(again_next);

    while (block != NULL && block->count == 0)
        block = watched_after(block);
    return block;
}

/* Goes round all blocks, as far as there is time for it. */
static void look_around(uint64_t deadline)
{
    uint64_t now = clock_now();
    struct watched *block;

    if (again_next == 0 && now - again_round < AGAIN_PAUSE)
        return;
    if (again_next == 0)
        again_round = now;
    while (now < deadline) {
        uint64_t before = now;

        block = next_to_look_at();
        again_next = 0;
        if (block == NULL)
            return;
        look_again(block, 0, UINT32_MAX);
        again_next = block->node.key + 1;
        now = clock_now();
        again_spent += now - before;
    }
}

static void spend_time(void)
{
    uint64_t now = clock_now();
    uint64_t allowed = (now - started_at) / AGAIN_SHARE;

    if (allowed > again_spent)
        look_around(now + (allowed - again_spent));
}

static void block_added(uintptr_t start, size_t size)
{
    struct section section = section_begin();
    struct trail_block what = {.start = start, .size = size};

    memory_measure(size);
    spend_time();
    what.stack = stack_number();
    watched_add(start, size);
    tell_block(TRAIL_ADDED, 0, &what, NULL);
    section_end(section);
}

static void block_leaves(uintptr_t start, size_t size)
{
    static struct trail_sample changed[SAMPLES_MOST];
    struct section section = section_begin();
    struct watched *block = watched_at(start);
    struct trail_block what = {.start = start, .size = size};

    memory_measure(size);
    if (block != NULL) {
        if (!block->copied_into)
            memory_probe(start, size, &what.probes, &what.filled);
        what.samples = sample_again(block, 0, UINT32_MAX, changed);
        watched_remove(block);
        tell_block(TRAIL_LEAVES, 0, &what, changed);
        watched_free(in_limbo);
        in_limbo = block;
        in_limbo_start = start;
    }
    section_end(section);
}

static void block_returns(uintptr_t was, uintptr_t start, size_t size)
{
    struct section section = section_begin();
    struct trail_block what = {.start = start, .size = size, .was = was};

    memory_measure(size);
    if (in_limbo != NULL && in_limbo_start == was) {
        watched_restore(in_limbo, start, size);
        in_limbo = NULL;
        tell_block(TRAIL_RETURNS, 0, &what, NULL);
    }
    section_end(section);
}

static uint32_t page_of(const struct watched *block, uintptr_t address)
{
    return (uint32_t)((address - block->node.key) / page_bytes);
}

/* What the target held before is about to go: its fate is known now. */
static void copy_begins(uintptr_t to, uintptr_t from, size_t size)
{
    struct section section = section_begin();
    struct watched *target = watched_around(to, size);

    memory_measure(size);
    spend_time();
    if (target != NULL)
        look_again(target, page_of(target, to), page_of(target, to + size - 1) + 1);
    section_end(section);
}

/* Samples that are counted from the copy's first page, counted from the block's. */
static const struct trail_sample *shifted(const struct trail_sample *samples, uint32_t count, uint32_t by)
{
    static struct trail_sample moved[SAMPLES_OF_COPY];

    for (uint32_t i = 0; i < count; i++)
        moved[i] = (struct trail_sample){samples[i].page + by, samples[i].hash};
    return moved;
}

/* From now on source and target are watched at the same pages. */
static uint32_t watch(struct watched *target, uintptr_t to, uintptr_t from, size_t size, struct trail_sample *samples)
{
    uintptr_t first = (to + page_bytes - 1) & ~(page_bytes - 1);
    uintptr_t end = (to + size) & ~(page_bytes - 1);
    uintptr_t data = first - to + from;
    struct watched *source = data % page_bytes == 0 ? watched_around(from, size) : NULL;
    uint32_t pages = end > first ? (uint32_t)((end - first) / page_bytes) : 0;
    uint32_t count = sample_copy(source, source == NULL ? 0 : page_of(source, data), pages, data, samples);
    uint32_t at = page_of(target, first);

    target->copied_into = true;
    watched_replace(target, at, at + pages, shifted(samples, count, at), count);
    if (source != NULL)
        watched_merge(source, shifted(samples, count, page_of(source, data)), count);
    return count;
}

static void copy_judged(uintptr_t to, uintptr_t from, size_t size, const struct observed_verdict *verdict)
{
    static struct trail_sample samples[SAMPLES_OF_COPY];
    struct section section = section_begin();
    struct watched *target = watched_around(to, size);
    struct trail_copy what = {
        .to = to,
        .from = from,
        .size = size,
        .shared = verdict->shared,
        .stack = stack_number(),
        .reason = verdict->reason,
        .site = verdict->site,
        .target_touched = verdict->target_touched,
        .target_huge = verdict->target_huge,
        .huge_store = verdict->huge_store,
        .tracked = target != NULL,
    };

    if (target != NULL && verdict->reason != REASON_overlapping)
        what.samples = watch(target, to, from, size, samples);
    tell_copy(&what, samples);
    section_end(section);
}

static void copy_too_small(uintptr_t to, uintptr_t from, size_t size)
{
    struct section section;
    struct trail_copy what = {.to = to, .from = from, .size = size, .reason = TRAIL_TOO_SMALL};

    if (small_unseen) {
        atomic_fetch_add_explicit(&unseen_copies, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&unseen_bytes, size, memory_order_relaxed);
        return;
    }
    section = section_begin();
    what.stack = stack_number();
    what.also = atomic_exchange_explicit(&unseen_copies, 0, memory_order_relaxed);
    what.also_bytes = atomic_exchange_explicit(&unseen_bytes, 0, memory_order_relaxed);
    tell_copy(&what, NULL);
    section_end(section);
}

/* Small copies that no other stands for: nobody knows where they were made. */
static void tell_unseen(void)
{
    uint32_t copies = atomic_exchange_explicit(&unseen_copies, 0, memory_order_relaxed);
    uint64_t bytes = atomic_exchange_explicit(&unseen_bytes, 0, memory_order_relaxed);
    struct trail_copy what = {.size = copies == 0 ? 0 : bytes / copies, .reason = TRAIL_TOO_SMALL};

    if (copies == 0)
        return;
    what.also = copies - 1;
    what.also_bytes = bytes - what.size;
    tell_copy(&what, NULL);
}

static void forked(void)
{
    int saved = errno;

    pthread_mutex_init(&lock, NULL); /* an unannounced fork may have found it taken */
    trail_after_fork();
    stack_after_fork();
    started_at = clock_now();
    again_spent = again_round = again_next = 0;
    errno = saved;
}

/* What lives to the end, as if it left now. */
static void probe_all(void)
{
    for (struct watched *block = watched_from(0); block != NULL; block = watched_after(block)) {
        struct trail_block what = {.start = block->node.key, .size = block->size};

        if (block->copied_into)
            continue;
        memory_probe(block->node.key, block->size, &what.probes, &what.filled);
        tell_block(TRAIL_CHANGED, 0, &what, NULL);
    }
}

static void ends(void)
{
    struct section section;

    if (!trail_is_open())
        return;
    section = section_begin();
    memory_measure(SIZE_MAX);
    again_next = again_round = 0;
    look_around(clock_now() + AGAIN_AT_END);
    probe_all();
    tell_unseen();
    tell_end();
    section_end(section);
}

static struct observer observer = {
    .version = OBSERVER_VERSION,
    .smallest_copy = PROFILE_SMALLEST,
    .look = look,
    .block_added = block_added,
    .block_leaves = block_leaves,
    .block_returns = block_returns,
    .copy_begins = copy_begins,
    .copy_judged = copy_judged,
    .copy_too_small = copy_too_small,
    .forked = forked,
    .ends = ends,
};

extern __attribute__((visibility("default"))) observer_offer cowshim_observer_1;

const struct observer *cowshim_observer_1(uint64_t (*store_bytes)(void))
{
    const char *setting = getenv(PROFILE_VARIABLE);

    if (setting == NULL)
        return NULL;
    if (strncmp(setting, PROFILE_APPLY, strlen(PROFILE_APPLY)) == 0)
        observer.substitute = true;
    else if (strncmp(setting, PROFILE_OBSERVE, strlen(PROFILE_OBSERVE)) != 0)
        return NULL;
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    started_at = clock_now();
    trail_init(strchr(setting, ':') + 1);
    memory_init(observer.substitute ? store_bytes : NULL);
    sample_init();
    stack_init();
    return &observer;
}
