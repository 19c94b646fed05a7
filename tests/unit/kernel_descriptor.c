/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernel/descriptor.h"
#include "unit.h"

static int open_one(void)
{
    int fd = memfd_create("unit", 0);

    CHECK(fd >= 0);
    return fd;
}

static struct descriptor adopted(void)
{
    struct descriptor descriptor = DESCRIPTOR_NONE;

    CHECK_EQ(descriptor_adopt(&descriptor, open_one()), 0);
    return descriptor;
}

TEST(descriptor, adopt_moves_up_and_leaves_the_low_numbers_free)
{
    int lowest = open_one();
    struct descriptor ours;

    close(lowest);
    ours = adopted();
    CHECK(ours.fd > lowest + 100);
    CHECK_EQ(fcntl(ours.fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(lowest, F_GETFD), -1);
    CHECK(descriptor_is_ours(ours.fd));
    CHECK(!descriptor_is_ours(lowest));
    CHECK(!descriptor_is_ours(-1));
    descriptor_drop(&ours);
    CHECK_EQ(ours.fd, -1);
    CHECK_EQ(descriptor_count(), 0);
}

TEST(descriptor, a_number_that_the_program_closed_or_replaced_is_noticed)
{
    struct descriptor closed = adopted(), replaced = adopted();
    int number = replaced.fd, other = open_one();

    CHECK_EQ(descriptor_use(&closed), closed.fd);
    close(closed.fd);
    CHECK_EQ(descriptor_use(&closed), -EBADF);
    CHECK_EQ(dup2(other, number), number);
    CHECK_EQ(descriptor_use(&replaced), -EBADF);
    descriptor_drop(&replaced);
    CHECK(fcntl(number, F_GETFD) >= 0); /* not ours: not closed */
    descriptor_drop(&closed);
    CHECK_EQ(descriptor_count(), 0);
    CHECK(!descriptor_is_ours(number));
}

TEST(descriptor, yield_moves_ours_and_its_holder_finds_it)
{
    struct descriptor ours = adopted();
    int number = ours.fd, theirs = open_one();

    CHECK_EQ(descriptor_yield(number), 0);
    CHECK(!descriptor_is_ours(number));
    CHECK_EQ(dup2(theirs, number), number);
    CHECK(descriptor_use(&ours) >= 0);
    CHECK(ours.fd != number);
    CHECK(descriptor_is_ours(ours.fd));
    CHECK_EQ(descriptor_yield(theirs), 0); /* not ours: nothing happens */
    CHECK_EQ(descriptor_count(), 1);
    descriptor_drop(&ours);
    CHECK_EQ(descriptor_count(), 0);
    CHECK(fcntl(number, F_GETFD) >= 0);
}

TEST(descriptor, next_finds_ours_in_rising_order)
{
    struct descriptor a = adopted(), b = adopted(), c = adopted();
    int last;

    CHECK_EQ(descriptor_next(0, ~0u), a.fd);
    CHECK_EQ(descriptor_next((unsigned)a.fd + 1, ~0u), b.fd);
    CHECK_EQ(descriptor_next((unsigned)b.fd + 1, ~0u), c.fd);
    CHECK_EQ(descriptor_next((unsigned)c.fd + 1, ~0u), -1);
    CHECK_EQ(descriptor_next(0, (unsigned)a.fd - 1), -1);
    CHECK_EQ(descriptor_next((unsigned)b.fd, (unsigned)b.fd), b.fd);
    last = b.fd;
    descriptor_drop(&b);
    CHECK_EQ(descriptor_next((unsigned)last, (unsigned)last), -1);
    descriptor_drop(&a);
    descriptor_drop(&c);
    CHECK_EQ(descriptor_next(0, ~0u), -1);
}

TEST(descriptor, a_full_table_is_an_error_and_closes_what_came)
{
    struct rlimit limit = {64, 64};
    struct descriptor ours = DESCRIPTOR_NONE;
    int fd, filler;

    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    fd = open_one();
    while ((filler = fcntl(fd, F_DUPFD, 48)) >= 0)
        ;
    CHECK_EQ(descriptor_adopt(&ours, fd), -EMFILE);
    CHECK_EQ(ours.fd, -1);
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
    CHECK_EQ(descriptor_count(), 0);
    descriptor_drop(&ours);
}

static int other_process(void *argument)
{
    (void)argument;
    if (descriptor_in_own_process())
        return 1;
    descriptor_after_fork();
    return descriptor_in_own_process() ? 0 : 2;
}

TEST(descriptor, the_table_belongs_to_one_process)
{
    descriptor_init();
    CHECK(descriptor_in_own_process());
    CHECK_EQ(unit_child(other_process, NULL), 0);
    CHECK(descriptor_in_own_process());
}
