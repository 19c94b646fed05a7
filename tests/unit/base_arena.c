/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "unit.h"

struct item {
    char bytes[72];
};

TEST(arena, items_are_zeroed_also_when_reused)
{
    static struct pool pool = POOL_INITIALIZER(struct item);

    unit_start_base(NULL);
    for (int round = 0; round < 3; round++) {
        struct item *items[100];

        for (int i = 0; i < 100; i++) {
            items[i] = pool_take(&pool);
            CHECK(items[i] != NULL);
            CHECK(unit_all(items[i]->bytes, sizeof(struct item), 0));
            CHECK_EQ((uintptr_t)items[i] % 16, 0);
            memset(items[i], 0xee, sizeof(struct item));
        }
        CHECK_EQ(pool_in_use(&pool), 100);
        for (int i = 0; i < 100; i++) {
            CHECK(unit_all(items[i]->bytes, sizeof(struct item), 0xee)); /* none overlaps another */
            pool_give(&pool, items[i]);
        }
        CHECK_EQ(pool_in_use(&pool), 0);
    }
}

TEST(arena, what_was_given_back_is_used_again)
{
    static struct pool pool = POOL_INITIALIZER(struct item);
    void *first;

    unit_start_base(NULL);
    first = pool_take(&pool);
    pool_give(&pool, first);
    CHECK(pool_take(&pool) == first);
    pool_give(&pool, NULL);
    CHECK_EQ(pool_in_use(&pool), 1);
}

TEST(arena, a_scratch_buffer_is_all_ours)
{
    char *a, *b;

    unit_start_base(NULL);
    a = scratch_take();
    b = scratch_take();
    CHECK(a != NULL && b != NULL);
    memset(a, 1, SCRATCH_SIZE);
    memset(b, 2, SCRATCH_SIZE);
    CHECK(unit_all(a, SCRATCH_SIZE, 1));
    scratch_give(a);
    CHECK(scratch_take() == a);
    scratch_give(b);
}

static struct pool shared_pool = POOL_INITIALIZER(struct item);

static void *hammer(void *argument)
{
    size_t bad = 0;
    char tag = (char)(intptr_t)argument;

    for (int round = 0; round < 2000; round++) {
        struct item *items[20];

        for (int i = 0; i < 20; i++) {
            items[i] = pool_take(&shared_pool);
            bad += !unit_all(items[i]->bytes, sizeof(struct item), 0);
            memset(items[i], tag, sizeof(struct item));
        }
        for (int i = 0; i < 20; i++) {
            bad += !unit_all(items[i]->bytes, sizeof(struct item), tag);
            pool_give(&shared_pool, items[i]);
        }
    }
    return (void *)bad;
}

TEST(arena, threads_never_share_an_item)
{
    pthread_t threads[4];

    unit_start_base(NULL);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hammer, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < 4; i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        CHECK(bad == NULL);
    }
    CHECK_EQ(pool_in_use(&shared_pool), 0);
}

static int take_without_memory(void *argument)
{
    static struct pool pool = POOL_INITIALIZER(struct item);
    struct rlimit none = {0, 0};

    (void)argument;
    setrlimit(RLIMIT_AS, &none);
    return pool_take(&pool) == NULL && pool_in_use(&pool) == 0 && pool_take(&pool) == NULL ? 0 : 1;
}

TEST(arena, no_memory_is_null_and_nothing_is_counted)
{
    if (UNIT_TSAN || UNIT_ASAN)
        SKIP("a sanitizer needs address space");
    unit_start_base(NULL);
    CHECK_EQ(unit_child(take_without_memory, NULL), 0);
}
