/* SPDX-License-Identifier: MIT */
/* Stores of which the program closed the descriptor, or replaced it by one of its own. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_unit.h"

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
    CHECK(!replaced || fcntl(fd, F_GETFD) >= 0); /* what is the program's was not closed */
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
    CHECK(store_at(c)->file != store_at(a)->file);
    CHECK(unit_holds(a, 16 * page_size, 1) && unit_holds(b, 16 * page_size, 1));
    CHECK(unit_holds(c, 16 * page_size, 2) && unit_holds(d, 16 * page_size, 2));
    CHECK_EQ(stores_allocated(), 16 * page_size); /* nobody can tell of the other */
}
