/* SPDX-License-Identifier: MIT */
/* The observer: what it does with what the engine tells. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "engine/report/counters.h"
#include "engine/report/observe.h"
#include "profile/again.h"
#include "profile/block.h"
#include "profile/clock.h"
#include "profile/format.h"
#include "profile/memory.h"
#include "profile/sample.h"
#include "profile/stack.h"
#include "profile/tell.h"
#include "profile/thrift.h"
#include "profile/trail.h"
#include "profile/unseen.h"

/* Copies and blocks from here on are always seen: they cost so much themselves. */
#define ALWAYS_SEEN ((size_t)8 << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct observer observer;
static size_t page_bytes;
static struct purse for_large = {.share = 50, .gift = 100000000};
static struct purse for_small = {.share = 100, .gift = 3000000};
static uint64_t untold; /* blocks that the trail does not know of, since the last one it does */

static THREAD_LOCAL struct watched *in_limbo; /* what left last: it may return */
static THREAD_LOCAL uint64_t looked_at;       /* when the thread last looked */
static THREAD_LOCAL bool saw;                 /* and whether it took the time to */

static struct unseen unseen_large = {.last.reason = REASON_none};
static struct unseen unseen_small = {.last.reason = TRAIL_TOO_SMALL};

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

static bool wants(enum observed_event event, size_t size)
{
    if (event == OBSERVED_SMALL)
        return purse_affords(&for_small);
    return observer.substitute || size >= ALWAYS_SEEN || purse_affords(&for_large);
}

static bool look(enum observed_event event, size_t size)
{
    int saved = errno;

    looked_at = clock_now();
    saw = wants(event, size);
    if (saw)
        stack_look();
    else
        stack_forget();
    errno = saved;
    if (saw || event == OBSERVED_BLOCK || (event == OBSERVED_COPY && observer.substitute))
        return true;
    unseen_count(event == OBSERVED_SMALL ? &unseen_small : &unseen_large, size);
    return false;
}

/* The trail learns of a block when it is added, or where that went unseen when a copy has to do with it. */
static void tell_added(struct watched *block, unsigned flags, uint32_t stack)
{
    struct trail_block what = {.start = block->node.key, .size = block->size, .was = untold, .stack = stack};

    if (block->told)
        return;
    block->told = true;
    untold = 0;
    tell_block(TRAIL_ADDED, flags, &what, NULL);
}

/* In a forked child, also what it inherited. */
static void open_trail(void)
{
    if (!trail_open())
        return;
    memory_measure(SIZE_MAX);
    tell_begin(observer.substitute);
    for (struct watched *block = watched_from(0); block != NULL; block = watched_after(block)) {
        block->count = 0;
        block->told = false;
        tell_added(block, TRAIL_INHERITED, 0);
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

static void block_added(uintptr_t start, size_t size)
{
    struct section section = section_begin();
    struct watched *block;

    memory_measure(size);
    again_spend_time();
    block = watched_add(start, size);
    if (block != NULL && saw)
        tell_added(block, 0, stack_number());
    untold += !saw;
    section_end(section);
    if (saw)
        purse_pay(&for_large, looked_at);
}

static void tell_leaving(struct watched *block)
{
    static struct trail_sample changed[SAMPLES_MOST];
    struct trail_block what = {.start = block->node.key, .size = block->size};

    if (!block->copied_into && wants(OBSERVED_BLOCK, block->size))
        memory_probe(what.start, what.size, &what.probes, &what.filled);
    what.samples = sample_again(block, 0, UINT32_MAX, changed);
    tell_block(TRAIL_LEAVES, 0, &what, changed);
}

static void block_leaves(uintptr_t start, size_t size)
{
    uint64_t since = clock_now();
    struct section section = section_begin();
    struct watched *block = watched_at(start);
    bool told = block != NULL && block->told;

    memory_measure(size);
    if (told)
        tell_leaving(block);
    if (block != NULL) {
        watched_remove(block);
        watched_free(in_limbo);
        in_limbo = block;
    }
    section_end(section);
    if (told)
        purse_pay(&for_large, since);
}

static void block_returns(uintptr_t was, uintptr_t start, size_t size)
{
    struct section section = section_begin();
    struct trail_block what = {.start = start, .size = size, .was = was};

    memory_measure(size);
    if (in_limbo != NULL && in_limbo->node.key == was) {
        watched_restore(in_limbo, start, size);
        if (in_limbo->told)
            tell_block(TRAIL_RETURNS, 0, &what, NULL);
        in_limbo = NULL;
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
    again_spend_time();
    if (target != NULL)
        again_look(target, page_of(target, to), page_of(target, to + size - 1) + 1);
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

/* Who was to be watched at more pages than there is room for. */
struct thinned {
    const struct watched *blocks[2];
    unsigned count;
};

static void tell_thinned(const struct thinned *thinned)
{
    for (unsigned i = 0; i < thinned->count; i++) {
        const struct watched *block = thinned->blocks[i];
        struct trail_block what = {.start = block->node.key, .size = block->size, .samples = block->count};

        tell_block(TRAIL_THINNED, 0, &what, block->samples);
    }
}

/* From now on source and target are watched at the same pages. */
static uint32_t watch(struct watched *target, const struct trail_copy *copy, struct trail_sample *samples, struct thinned *thinned)
{
    uintptr_t to = copy->to, from = copy->from, size = copy->size;
    uintptr_t first = (to + page_bytes - 1) & ~(page_bytes - 1);
    uintptr_t end = (to + size) & ~(page_bytes - 1);
    uintptr_t data = first - to + from;
    struct watched *source = data % page_bytes == 0 ? watched_around(from, size) : NULL;
    uint32_t pages = end > first ? (uint32_t)((end - first) / page_bytes) : 0;
    uint32_t count = sample_copy(source, source == NULL ? 0 : page_of(source, data), pages, data, samples);
    uint32_t at = page_of(target, first);

    target->copied_into = true;
    if (watched_replace(target, at, at + pages, shifted(samples, count, at), count))
        thinned->blocks[thinned->count++] = target;
    if (source != NULL && watched_merge(source, shifted(samples, count, page_of(source, data)), count) && source != target)
        thinned->blocks[thinned->count++] = source;
    return count;
}

static void tell_blocks(struct watched *target, struct watched *source)
{
    if (target != NULL)
        tell_added(target, 0, 0);
    if (source != NULL)
        tell_added(source, 0, 0);
}

static void copy_judged(uintptr_t to, uintptr_t from, size_t size, const struct observed_verdict *verdict)
{
    static struct trail_sample samples[SAMPLES_OF_COPY];
    struct section section = section_begin();
    struct watched *target = watched_around(to, size);
    struct thinned thinned = {.count = 0};
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

    tell_blocks(target, watched_around(from, size));
    if (target != NULL && verdict->reason != REASON_overlapping)
        what.samples = watch(target, &what, samples, &thinned);
    unseen_stand_for(&unseen_large, &what);
    tell_copy(&what, samples);
    tell_thinned(&thinned);
    section_end(section);
    purse_pay(&for_large, looked_at);
}

static void copy_too_small(uintptr_t to, uintptr_t from, size_t size)
{
    struct section section = section_begin();
    struct trail_copy what = {.to = to, .from = from, .size = size, .stack = stack_number(), .reason = TRAIL_TOO_SMALL};

    unseen_stand_for(&unseen_small, &what);
    tell_copy(&what, NULL);
    section_end(section);
    purse_pay(&for_small, looked_at);
}

static void forked(void)
{
    int saved = errno;

    pthread_mutex_init(&lock, NULL); /* an unannounced fork may have found it taken */
    trail_after_fork();
    stack_after_fork();
    thrift_start();
    purse_refill(&for_large);
    purse_refill(&for_small);
    memory_after_fork();
    again_after_fork();
    errno = saved;
}

static void ends(void)
{
    struct section section;

    if (!trail_is_open())
        return;
    section = section_begin();
    memory_measure(SIZE_MAX);
    again_at_end();
    unseen_tell(&unseen_large);
    unseen_tell(&unseen_small);
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
    thrift_start();
    trail_init(strchr(setting, ':') + 1);
    memory_init(observer.substitute ? store_bytes : NULL);
    sample_init();
    stack_init();
    return &observer;
}
