/* SPDX-License-Identifier: MIT */
/* Stores: where they lie in their files, when they are given back, and the looks at them. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_unit.h"
#include "kernel/descriptor.h"

#define MIB ((size_t)1 << 20)

static uint64_t length_of(struct store *store)
{
    struct stat status;

    CHECK_EQ(fstat(store_use(store), &status), 0);
    return (uint64_t)status.st_size;
}

TEST(store, small_seals_share_a_store_one_behind_the_other)
{
    struct store *first, *store;
    uint64_t offset, expected;
    size_t pages = 0;

    unit_start("");
    first = reserve_store(STOREFILE_SMALL, 3 * page_size, &expected);
    for (size_t size = 3; size < 40; size++) {
        expected += size * page_size;
        pages += size;
        CHECK(length_of(first) >= expected); /* before anything of it is mapped */
        store = reserve_store(STOREFILE_SMALL, (size + 1) * page_size, &offset);
        CHECK(store == first);
        CHECK_EQ(offset, expected);
        store_finish(store);
    }
    CHECK_EQ(stores_open(), 1);
    CHECK_EQ(store_bytes(), (pages + 40) * page_size);
    store_finish(first);
}

TEST(store, a_large_seal_has_a_store_of_its_own_in_the_same_file)
{
    struct store *small, *large, *again;
    uint64_t first, offset, expected;

    unit_start("");
    small = reserve_store(STOREFILE_SMALL, MIB / 2, &first);
    large = reserve_store(STOREFILE_SMALL, 400 * MIB, &offset);
    CHECK(large != small);
    CHECK(large->file == small->file);
    expected = first + MIB / 2;
    again = reserve_store(STOREFILE_SMALL, MIB / 2, &offset); /* goes on where small seals are */
    CHECK(again == small);
    CHECK_EQ(offset, expected);
    store_finish(again);
    store_finish(small);
    store_finish(large); /* nobody showed it */
    CHECK_EQ(stores_allocated(), 0);
    CHECK(store_bytes() < 400 * MIB);
}

/* Whatever the number of stores: one descriptor, and room that was given back is used again. */
TEST(store, stores_lie_beside_each_other_in_one_file)
{
    struct store *held[64];
    unsigned descriptors;
    uint64_t offset, longest;

    unit_start("");
    store_finish(reserve_store(STOREFILE_SMALL, MIB, &offset));
    descriptors = descriptor_count();
    for (unsigned i = 0; i < 64; i++) {
        held[i] = reserve_store(STOREFILE_SMALL, (1 + i % 7) * MIB, &offset);
        for (unsigned j = 0; j < i; j++)
            CHECK_AT(offset >= held[j]->used || held[i]->used <= store_start(held[j]), i);
    }
    longest = length_of(held[0]);
    CHECK_EQ(descriptor_count(), descriptors);
    for (int round = 0; round < 1000; round++) {
        unsigned i = unit_random() % 64;

        store_finish(held[i]);
        held[i] = reserve_store(STOREFILE_SMALL, (1 + unit_random() % 7) * MIB, &offset);
        for (unsigned j = 0; j < 64; j++)
            CHECK_AT(j == i || offset >= held[j]->used || held[i]->used <= store_start(held[j]), round);
    }
    CHECK(length_of(held[0]) < 3 * longest);
    for (int i = 0; i < 64; i++)
        store_finish(held[i]);
    CHECK_EQ(descriptor_count(), descriptors);
    CHECK_EQ(store_bytes(), 0);
    held[0] = reserve_store(STOREFILE_SMALL, MIB, &offset);
    CHECK_EQ(offset, 0);
    store_finish(held[0]);
}

TEST(store, kinds_do_not_mix_and_huge_offsets_are_whole_units)
{
    struct store *huge, *small;
    uint64_t offset;

    unit_start("");
    if (!storefile_huge_available())
        SKIP("no private tmpfs with huge pages here");
    huge = reserve_store(STOREFILE_HUGE, 2 * HUGE_SIZE, &offset);
    CHECK_EQ(offset % HUGE_SIZE, 0);
    small = reserve_store(STOREFILE_SMALL, page_size, &offset);
    CHECK(small->file != huge->file);
    store_finish(small);
    store_finish(reserve_store(STOREFILE_HUGE, 2 * HUGE_SIZE, &offset));
    CHECK_EQ(offset, 2 * HUGE_SIZE);
    store_finish(huge);
}

TEST(store, memory_is_given_back_with_the_last_view)
{
    unsigned descriptors;
    char *a, *b, *c;

    unit_start("");
    unit_remove(sealed_block(32, 1, NULL)); /* opens what stays open */
    descriptors = descriptor_count();
    a = sealed_block(64, 1, &b);
    c = unit_block(64);
    CHECK(unit_copy(c, b, 64 * page_size));
    CHECK_EQ(stores_open(), 1);
    CHECK_EQ(descriptor_count(), descriptors);
    unit_remove(a);
    unit_remove(c);
    CHECK_EQ(stores_open(), 1);
    CHECK(unit_holds(b, 64 * page_size, 1));
    CHECK_EQ(stores_allocated(), 64 * page_size);
    unit_remove(b);
    CHECK_EQ(stores_open(), 0);
    CHECK_EQ(stores_allocated(), 0);
    CHECK_EQ(store_bytes(), 0);
    CHECK_EQ(descriptor_count(), descriptors);
}

/* What was reserved and not shown is given back; what others have in the same file stays. */
TEST(store, an_abandoned_seal_gives_back_its_part_only)
{
    char *neighbour, *other;
    struct store *store;
    uint64_t offset, before;

    unit_start("");
    neighbour = sealed_block(64, 1, &other);
    before = stores_allocated();
    store = reserve_store(STOREFILE_SMALL, 64 * page_size, &offset);
    CHECK(store == store_at(neighbour));
    CHECK_EQ(storefile_write(store_use(store), (uintptr_t)neighbour, 40 * page_size, offset), 0);
    CHECK_EQ(stores_allocated(), before + 40 * page_size);
    store_abandon(store, offset, 64 * page_size);
    CHECK_EQ(stores_allocated(), before);
    CHECK(unit_holds(neighbour, 64 * page_size, 1) && unit_holds(other, 64 * page_size, 1));
    madvise(neighbour, 64 * page_size, MADV_DONTNEED); /* what the store itself has */
    CHECK(unit_holds(neighbour, 64 * page_size, 1));
}

/* A copy that is broken off again and again is counted once, and lies in the file as if it had not been. */
TEST(store, what_goes_on_after_a_break_lies_behind_it)
{
    size_t size = 1024 * page_size;
    struct store *first, *second;
    uint64_t offset, behind;

    unit_start("");
    first = reserve_store(STOREFILE_SMALL, size, &offset);
    store_hold(first);
    store_abandon(first, offset + size / 4, size - size / 4);
    CHECK_EQ(store_bytes(), size / 4);
    second = reserve_store(STOREFILE_SMALL, size - size / 4, &behind);
    CHECK(second != first);
    CHECK(second->file == first->file);
    CHECK_EQ(behind, offset + size / 4);
    CHECK_EQ(store_bytes(), size);
    store_finish(second);
    store_release(first);
    CHECK_EQ(store_bytes(), 0);
}

TEST(store, a_picture_ends_with_any_change)
{
    struct store_picture picture;
    struct store *store;
    uint64_t offset;
    unsigned visits = 0;
    char *a, *b;

    unit_start("");
    a = sealed_block(64, 1, &b);
    store = store_at(a);
    CHECK_EQ(store_picture_take(store, &picture, 2, count_visit, &visits), 0);
    CHECK_EQ(visits, 2);
    CHECK_EQ(picture.used, 64 * page_size);
    CHECK_EQ(store_picture_take(store, &picture, 1, count_visit, &visits), -EAGAIN); /* too many for the caller */
    CHECK_EQ(visits, 2);
    CHECK(store_picture_holds(store, &picture));
    reserve_store(STOREFILE_SMALL, page_size, &offset); /* somebody writes */
    CHECK(!store_picture_holds(store, &picture));
    CHECK_EQ(store_picture_take(store, &picture, 2, count_visit, &visits), -EAGAIN);
    store_finish(store);
    CHECK_EQ(store_picture_take(store, &picture, 2, count_visit, &visits), 0);
    discard(b, 1);
    CHECK(!store_picture_holds(store, &picture));
    CHECK_EQ(store_picture_take(store, &picture, 2, count_visit, &visits), 0);
    store_share(store);
    CHECK(!store_picture_holds(store, &picture));
    CHECK(unit_holds(a, 64 * page_size, 1));
}

TEST(store, a_walk_meets_each_store_once_from_wherever_it_begins)
{
    struct store *store[5];
    uint64_t offset;

    unit_start("");
    for (int i = 0; i < 5; i++)
        store[i] = reserve_store(STOREFILE_SMALL, 32 * MIB, &offset);
    for (int first = 0; first < 5; first++) {
        unsigned met = 0;

        store_make_first(store[first]);
        for (struct store *at = store_after(NULL); at != NULL; at = store_after(at)) {
            CHECK_AT(met != 0 || at == store[first], first);
            for (unsigned i = 0; i < 5; i++)
                if (at == store[i])
                    met |= 1u << i;
        }
        CHECK_EQ(met, 31);
    }
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(store[i]->holds, 1);
        store_finish(store[i]);
    }
    CHECK_EQ(stores_open(), 0);
}

TEST(store, a_store_that_cannot_be_had_is_an_error_and_no_leak)
{
    struct rlimit length, few = {64, 64};
    struct store *store;
    uint64_t offset;
    unsigned descriptors;

    unit_start("");
    descriptors = descriptor_count();
    getrlimit(RLIMIT_FSIZE, &length);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, length.rlim_max});
    CHECK_EQ(store_reserve(STOREFILE_SMALL, 64 * MIB, &store, &offset), -EFBIG); /* and no SIGXFSZ */
    setrlimit(RLIMIT_FSIZE, &length);
    CHECK_EQ(stores_open(), 0);
    CHECK_EQ(descriptor_count(), descriptors);
    setrlimit(RLIMIT_NOFILE, &few);
    while (dup(0) >= 0)
        ;
    CHECK_EQ(store_reserve(STOREFILE_SMALL, 32 * MIB, &store, &offset), -EMFILE);
    CHECK_EQ(stores_open(), 0);
}
