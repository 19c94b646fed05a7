/* SPDX-License-Identifier: MIT */
/* Stores: who shares a file, when it is closed, and what happens when the program takes its descriptor away. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine_unit.h"
#include "kernel/descriptor.h"

#define MIB ((size_t)1 << 20)

static struct store *reserve(enum storefile_kind kind, size_t size, uint64_t *offset)
{
    struct store *store;
    int error = store_reserve(kind, size, &store, offset);

    if (error != 0)
        UNIT_FAIL("store_reserve of %zu bytes: %d", size, error);
    return store;
}

static uint64_t length_of(struct store *store)
{
    struct stat status;

    CHECK_EQ(fstat(store_use(store), &status), 0);
    return (uint64_t)status.st_size;
}

TEST(store, small_seals_share_a_file_one_behind_the_other)
{
    struct store *first, *store;
    uint64_t offset, expected = 0;

    unit_start("");
    first = reserve(STOREFILE_SMALL, 3 * page_size, &offset);
    for (size_t pages = 3; pages < 40; pages++) {
        CHECK_EQ(offset, expected);
        expected += pages * page_size;
        CHECK(length_of(first) >= expected); /* before anything of it is mapped */
        store = reserve(STOREFILE_SMALL, (pages + 1) * page_size, &offset);
        CHECK(store == first);
        store_finish(store);
    }
    CHECK_EQ(stores_open(), 1);
    CHECK_EQ(store_bytes(), expected + 40 * page_size);
    store_finish(first);
}

TEST(store, a_large_seal_has_a_file_of_its_own)
{
    struct store *small, *large, *again;
    uint64_t offset;

    unit_start("");
    small = reserve(STOREFILE_SMALL, MIB, &offset);
    large = reserve(STOREFILE_SMALL, 400 * MIB, &offset);
    CHECK(large != small);
    CHECK_EQ(offset, 0);
    again = reserve(STOREFILE_SMALL, MIB, &offset); /* goes on where small seals are */
    CHECK(again == small);
    CHECK_EQ(offset, MIB);
    store_finish(again);
    store_finish(small);
    store_finish(large); /* nobody showed it */
    CHECK_EQ(stores_allocated(), 0);
    CHECK(store_bytes() < 400 * MIB);
}

/* Thousands of small blocks need few descriptors, and none of the files grows without bound. */
TEST(store, shared_files_are_bounded_and_few)
{
    struct store *held[64];
    uint64_t offset;
    unsigned files = 1;

    unit_start("");
    for (int i = 0; i < 64; i++) {
        held[i] = reserve(STOREFILE_SMALL, 5 * MIB, &offset);
        files += i > 0 && held[i] != held[i - 1];
        CHECK_AT(offset + 5 * MIB <= 64 * MIB, i);
    }
    CHECK_AT(files > 1 && files <= 8, files);
    CHECK_EQ(stores_open(), files);
    for (int i = 0; i < 64; i++)
        store_finish(held[i]);
}

TEST(store, kinds_do_not_mix_and_huge_offsets_are_whole_units)
{
    struct store *huge, *small;
    uint64_t offset;

    unit_start("");
    if (!storefile_huge_available())
        SKIP("no private tmpfs with huge pages here");
    huge = reserve(STOREFILE_HUGE, 2 * HUGE_SIZE, &offset);
    CHECK_EQ(offset % HUGE_SIZE, 0);
    small = reserve(STOREFILE_SMALL, page_size, &offset);
    CHECK(small != huge);
    store_finish(small);
    store_finish(reserve(STOREFILE_HUGE, 2 * HUGE_SIZE, &offset));
    CHECK_EQ(offset, 2 * HUGE_SIZE);
    store_finish(huge);
}

TEST(store, the_file_is_closed_with_its_last_view)
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
    CHECK_EQ(descriptor_count(), descriptors + 1);
    unit_remove(a);
    unit_remove(c);
    CHECK_EQ(stores_open(), 1);
    CHECK(unit_holds(b, 64 * page_size, 1));
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
    store = reserve(STOREFILE_SMALL, 64 * page_size, &offset);
    CHECK(store == store_at(neighbour));
    CHECK_EQ(storefile_write(store_use(store), (uintptr_t)neighbour, 40 * page_size, offset), 0);
    CHECK_EQ(stores_allocated(), before + 40 * page_size);
    store_abandon(store, offset, 64 * page_size);
    CHECK_EQ(stores_allocated(), before);
    CHECK(unit_holds(neighbour, 64 * page_size, 1) && unit_holds(other, 64 * page_size, 1));
    madvise(neighbour, 64 * page_size, MADV_DONTNEED); /* what the store itself has */
    CHECK(unit_holds(neighbour, 64 * page_size, 1));
}

TEST(store, an_inherited_store_is_left_as_it_is)
{
    struct store_picture picture;
    struct store *inherited, *store;
    uint64_t offset, used;
    char *a, *b;

    unit_start("");
    a = sealed_block(64, 1, &b);
    inherited = store_at(a);
    used = inherited->used;
    store_after_fork();
    store = reserve(STOREFILE_SMALL, page_size, &offset);
    CHECK(store != inherited);
    CHECK_EQ(inherited->used, used);
    CHECK_EQ(store_picture_take(inherited, &picture, 16, NULL, NULL), -EAGAIN);
    store_finish(store);
    unit_remove(a);
    CHECK(unit_holds(b, 64 * page_size, 1));
    unit_remove(b);
    CHECK_EQ(stores_open(), 0);
}

/* A fork that happened while we were at work counts before anything is appended or looked at for punching. */
TEST(store, a_fork_inside_of_us_counts_from_the_next_step_on)
{
    struct store_picture picture;
    struct store *before, *after;
    uint64_t offset;

    unit_start("");
    before = reserve(STOREFILE_SMALL, page_size, &offset);
    store_after_fork_later();
    after = reserve(STOREFILE_SMALL, page_size, &offset);
    CHECK(after != before);
    CHECK(before->inherited && !after->inherited);
    store_finish(before);
    store_hold(after);
    store_finish(after);
    store_after_fork_later();
    CHECK_EQ(store_picture_take(after, &picture, 16, NULL, NULL), -EAGAIN);
    CHECK(after->inherited);
    store_release(after);
}

static void count_visits(struct tree_node *view, void *context)
{
    CHECK(view != NULL);
    ++*(unsigned *)context;
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
    CHECK_EQ(store_picture_take(store, &picture, 2, count_visits, &visits), 0);
    CHECK_EQ(visits, 2);
    CHECK_EQ(picture.used, 64 * page_size);
    CHECK_EQ(store_picture_take(store, &picture, 1, count_visits, &visits), -EAGAIN); /* too many for the caller */
    CHECK_EQ(visits, 2);
    CHECK(store_picture_holds(store, &picture));
    reserve(STOREFILE_SMALL, page_size, &offset); /* somebody writes */
    CHECK(!store_picture_holds(store, &picture));
    CHECK_EQ(store_picture_take(store, &picture, 2, count_visits, &visits), -EAGAIN);
    store_finish(store);
    CHECK_EQ(store_picture_take(store, &picture, 2, count_visits, &visits), 0);
    discard(b, 1);
    CHECK(!store_picture_holds(store, &picture));
    CHECK_EQ(store_picture_take(store, &picture, 2, count_visits, &visits), 0);
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
        store[i] = reserve(STOREFILE_SMALL, 32 * MIB, &offset);
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

/* Two views, then the descriptor of the store that they show in the middle is not ours any more: closed, or the number of another
   file. */
static void lose(size_t pages, bool replaced)
{
    int fd, foreign = memfd_create("program's own", 0);
    char *a, *b, *c, word[6] = {0};
    size_t middle = pages / 2 * page_size;
    struct stat before, after;
    struct store *lost;

    unit_start("");
    a = sealed_block(pages, 1, &b);
    c = unit_block(pages);
    lost = store_at(a + middle);
    fd = store_use(lost);
    CHECK_EQ(write(foreign, "bytes", 5), 5);
    if (replaced)
        CHECK_EQ(dup2(foreign, fd), fd);
    else
        close(fd);
    fstat(foreign, &before);
    CHECK_EQ(store_use(lost), -EBADF);
    unit_copy(c, a, pages * page_size); /* from it nothing is shared any more, ... */
    CHECK(unit_holds(c, pages * page_size, 1));
    CHECK(store_at(c + middle) != lost);
    unit_fill(c, pages * page_size, 2);
    CHECK(unit_copy(b, c, pages * page_size)); /* ... from others it is */
    memset(b, 3, page_size);
    CHECK(unit_holds(a, pages * page_size, 1) && unit_holds(c, pages * page_size, 2));
    unit_remove(a);
    unit_remove(b);
    unit_remove(c);
    CHECK_EQ(extent_count(), 0);
    CHECK_EQ(stores_open(), 0);
    CHECK_EQ(fcntl(fd, F_GETFD) >= 0, replaced); /* what is the program's was not closed */
    fstat(foreign, &after);
    CHECK(after.st_size == before.st_size && after.st_blocks == before.st_blocks);
    CHECK_EQ(pread(foreign, word, 5, 0), 5);
    CHECK_EQ(memcmp(word, "bytes", 5), 0);
}

TEST(store, a_closed_descriptor_ends_sharing_from_that_store_only)
{
    lose(64, false);
}

TEST(store, a_replaced_descriptor_is_not_written_not_closed)
{
    lose(64, true);
}

TEST(store, a_huge_store_can_lose_its_descriptor_too)
{
    lose(8 * HUGE_SIZE / page_size, true);
}

/* The open store is lost: small seals begin another. */
TEST(store, small_seals_go_on_after_the_open_store_was_lost)
{
    char *a, *b, *c, *d;

    unit_start("");
    a = sealed_block(16, 1, &b);
    close(store_use(store_at(a)));
    c = sealed_block(16, 2, &d);
    CHECK(store_at(c) != store_at(a));
    CHECK(unit_holds(a, 16 * page_size, 1) && unit_holds(b, 16 * page_size, 1));
    CHECK(unit_holds(c, 16 * page_size, 2) && unit_holds(d, 16 * page_size, 2));
    CHECK_EQ(stores_allocated(), 16 * page_size); /* nobody can tell of the other */
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
    for (int i = 0; i < 64; i++)
        if (store_reserve(STOREFILE_SMALL, 32 * MIB, &store, &offset) != 0)
            break;
    CHECK_EQ(store_reserve(STOREFILE_SMALL, 32 * MIB, &store, &offset), -EMFILE);
    CHECK(descriptor_count() <= 64 / 4); /* the rest is the program's */
    CHECK(dup(0) >= 0);
}
