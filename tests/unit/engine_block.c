/* SPDX-License-Identifier: MIT */
/* The registry of blocks, against a plain array; and records that outlive what they speak of. The addresses are invented: the
   registry looks at no memory. */
#include <pthread.h>
#include <stdatomic.h>

#include "engine/block/block.h"
#include "unit.h"

#define PLACES 600
#define ROOM ((size_t)1 << 20) /* of each place */
#define BASE ((uintptr_t)1 << 40)

/* The model: place i is free, or has one block somewhere in it. */
struct place {
    uintptr_t start;
    size_t size; /* 0: free */
};

static struct place places[PLACES];
static size_t live;

static uintptr_t end_of(const struct place *place)
{
    return place->start + place->size;
}

static const struct place *model_at(uintptr_t address)
{
    for (const struct place *place = places; place < places + PLACES; place++)
        if (place->size > 0 && address >= place->start && address < end_of(place))
            return place;
    return NULL;
}

static const struct place *model_from(uintptr_t address)
{
    for (const struct place *place = places; place < places + PLACES; place++)
        if (place->size > 0 && end_of(place) > address)
            return place;
    return NULL;
}

static const struct place *model_last_before(uintptr_t end)
{
    for (const struct place *place = places + PLACES - 1; place >= places; place--)
        if (place->size > 0 && place->start < end)
            return place;
    return NULL;
}

/* Blocks that fill their place touch their neighbours; most are smaller, some have one byte. */
static void choose(struct place *place)
{
    uintptr_t floor = BASE + (uintptr_t)(place - places) * ROOM;

    switch (unit_random() % 4) {
    case 0:
        *place = (struct place){floor, ROOM};
        break;
    case 1:
        *place = (struct place){floor + unit_random() % ROOM, 1};
        break;
    default:
        place->start = floor + unit_random() % (ROOM / 2);
        place->size = 1 + unit_random() % (floor + ROOM - place->start);
        break;
    }
}

static void expect(struct block *found, const struct place *place, const char *what, uintptr_t address)
{
    if ((found == NULL) != (place == NULL))
        UNIT_FAIL("%s(%#zx) finds %s", what, (size_t)address, found == NULL ? "nothing" : "something");
    if (found == NULL)
        return;
    if (block_start(found) != place->start || block_end(found) != end_of(place))
        UNIT_FAIL("%s(%#zx) finds [%#zx, %#zx)", what, (size_t)address, (size_t)block_start(found), (size_t)block_end(found));
    block_release(found);
}

static void expect_peeks(uintptr_t address, size_t span)
{
    const struct place *place = model_at(address);
    bool starts = place != NULL && place->start == address;
    uintptr_t found;
    size_t size;

    CHECK_EQ(block_peek(address, &size), starts);
    CHECK(!starts || size == place->size);
    place = model_last_before(address + span);
    if (place != NULL && end_of(place) <= address)
        place = NULL;
    CHECK_EQ(block_peek_range(address, span, &found, &size), place != NULL);
    CHECK(place == NULL || (found == place->start && size == place->size));
}

static void ask(uintptr_t address)
{
    const struct place *place = model_at(address);

    expect(block_find(address), place, "block_find", address);
    expect(block_find_start(address), place != NULL && place->start == address ? place : NULL, "block_find_start", address);
    expect(block_find_from(address), model_from(address), "block_find_from", address);
    expect_peeks(address, 1 + unit_random() % (3 * ROOM));
}

/* Where mistakes of one would show, and anywhere. */
static void ask_around(const struct place *place)
{
    ask(place->start - 1);
    ask(place->start);
    ask(place->start + place->size / 2);
    ask(end_of(place) - 1);
    ask(end_of(place));
    ask(BASE - ROOM + unit_random() % ((PLACES + 2) * ROOM));
}

static void add(struct place *place)
{
    choose(place);
    CHECK(block_add(place->start, place->size, NULL) != NULL);
    live++;
}

static void take_out(struct place *place)
{
    struct block *block = block_find_start(place->start);

    CHECK(block != NULL && block_remove(block));
    block_release(block);
    place->size = 0;
    live--;
}

/* A reallocation: the record goes to another place. */
static void move(struct place *from, struct place *to)
{
    struct block *block = block_find_start(from->start);

    CHECK(block != NULL && block_remove(block));
    from->size = 0;
    ask(from->start);
    choose(to);
    block_restore(block, to->start, to->size, NULL);
}

TEST(block, lookups_agree_with_a_plain_array_whatever_comes_and_goes)
{
    int rounds = UNIT_TSAN || UNIT_ASAN ? 5000 : 40000;

    unit_start("");
    ask(BASE); /* nothing is there */
    for (int round = 0; round < rounds; round++) {
        struct place *place = &places[unit_random() % PLACES];
        struct place *other = &places[unit_random() % PLACES];

        /* fill up, thin out, and again */
        if (place->size == 0 && round / 4000 % 2 == 0)
            add(place);
        else if (place->size != 0 && other->size == 0 && unit_random() % 2 == 0)
            move(place, other);
        else if (place->size != 0 && round / 4000 % 2 == 1)
            take_out(place);
        ask_around(place);
        CHECK_EQ(block_count(), live);
    }
    for (int i = 0; i < PLACES; i++)
        if (places[i].size != 0)
            take_out(&places[i]);
    CHECK_EQ(block_count(), 0);
    ask(BASE);
}

TEST(block, contains_knows_its_edges_and_no_overflow)
{
    struct block *block;
    uintptr_t at = BASE + 100;

    unit_start("");
    block = block_add(at, 1000, NULL);
    CHECK(block_contains(block, at, 1000));
    CHECK(block_contains(block, at, 0));
    CHECK(block_contains(block, at + 999, 1));
    CHECK(!block_contains(block, at, 1001));
    CHECK(!block_contains(block, at - 1, 2));
    CHECK(!block_contains(block, at + 999, 2));
    CHECK(!block_contains(block, at + 1000, 0));
    CHECK(!block_contains(block, at + 500, SIZE_MAX));
    CHECK(!block_contains(block, at - 1, SIZE_MAX));
}

/* A free while another thread looks at the block: the record stays until that thread is done, and then it goes. */
TEST(block, a_held_record_outlives_the_block)
{
    struct block *block, *again;

    unit_start("");
    CHECK(block_add(BASE, 4096, NULL) != NULL);
    block = block_find(BASE + 1);
    again = block_find_start(BASE);
    CHECK(block == again && block != NULL);
    CHECK(block_remove(again));
    block_release(again);
    CHECK(!block->live);
    CHECK_EQ(block_start(block), BASE);
    CHECK(block_find(BASE) == NULL);
    CHECK_EQ(block_count(), 1);
    block_release(block);
    CHECK_EQ(block_count(), 0);
}

TEST(block, a_double_free_is_told_and_harmless)
{
    struct block *first, *second;

    unit_start("");
    block_add(BASE, 4096, NULL);
    block_add(BASE + ROOM, 4096, NULL);
    first = block_find(BASE);
    second = block_find(BASE);
    CHECK(block_remove(first));
    CHECK(!block_remove(second));
    block_release(first);
    block_release(second);
    CHECK_EQ(block_count(), 1);
    expect(block_find(BASE + ROOM), &(struct place){BASE + ROOM, 4096}, "block_find", BASE + ROOM);
}

#define THREADS 4

static _Atomic bool stop;
static _Atomic unsigned removed;

static void *look_for_ever(void *argument)
{
    (void)argument;
    while (!stop) {
        struct block *block = block_find_from(BASE);

        if (block != NULL) {
            size_t size = block->size;

            if (size < 1 || size > ROOM)
                UNIT_FAIL("a held record has size %zu", size);
            removed += block_remove(block);
            block_release(block);
        }
    }
    return NULL;
}

/* Each block is taken by exactly one of the threads that race for it. */
TEST(block, threads_that_race_for_blocks_take_each_once)
{
    pthread_t threads[THREADS];
    unsigned added = UNIT_TSAN || UNIT_ASAN ? 2000 : 20000;

    unit_start("");
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, look_for_ever, NULL);
    for (unsigned i = 0; i < added; i++)
        CHECK(block_add(BASE + (uintptr_t)i * ROOM, 1 + i % ROOM, NULL) != NULL);
    while (block_count() > 0)
        ;
    stop = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(removed, added);
}

struct pair {
    struct block *a, *b;
    unsigned value; /* under both locks */
};

static void *lock_both(void *argument)
{
    struct pair *pair = argument;

    for (int i = 0; i < 20000; i++) {
        block_lock_pair(pair->a, pair->b);
        pair->value++;
        block_unlock_pair(pair->a, pair->b);
    }
    return NULL;
}

static void *lock_both_turned(void *argument)
{
    struct pair *pair = argument;

    for (int i = 0; i < 20000; i++) {
        block_lock_pair(pair->b, pair->a);
        pair->value++;
        block_unlock_pair(pair->b, pair->a);
    }
    return NULL;
}

TEST(block, copies_in_both_directions_at_once_do_not_deadlock)
{
    struct pair pair = {NULL, NULL, 0};
    pthread_t threads[2];

    unit_start("");
    pair.a = block_add(BASE, 1, NULL);
    pair.b = block_add(BASE + ROOM, 1, NULL);
    pthread_create(&threads[0], NULL, lock_both, &pair);
    pthread_create(&threads[1], NULL, lock_both_turned, &pair);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(pair.value, 40000);
    block_lock_pair(pair.a, pair.a);
    block_unlock_pair(pair.a, pair.a);
}
