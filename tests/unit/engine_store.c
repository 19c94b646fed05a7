/* SPDX-License-Identifier: MIT */
/* Stores: where they lie, when they are given back, and what happens when the program takes the descriptor of their file away. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

TEST(store, small_seals_share_a_store_one_behind_the_other)
{
    struct store *first, *store;
    uint64_t offset, expected;
    size_t pages = 0;

    unit_start("");
    first = reserve(STOREFILE_SMALL, 3 * page_size, &expected);
    for (size_t size = 3; size < 40; size++) {
        expected += size * page_size;
        pages += size;
        CHECK(length_of(first) >= expected); /* before anything of it is mapped */
        store = reserve(STOREFILE_SMALL, (size + 1) * page_size, &offset);
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
    small = reserve(STOREFILE_SMALL, MIB / 2, &first);
    large = reserve(STOREFILE_SMALL, 400 * MIB, &offset);
    CHECK(large != small);
    CHECK(large->file == small->file);
    expected = first + MIB / 2;
    again = reserve(STOREFILE_SMALL, MIB / 2, &offset); /* goes on where small seals are */
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
    store_finish(reserve(STOREFILE_SMALL, MIB, &offset));
    descriptors = descriptor_count();
    for (unsigned i = 0; i < 64; i++) {
        held[i] = reserve(STOREFILE_SMALL, (1 + i % 7) * MIB, &offset);
        for (unsigned j = 0; j < i; j++)
            CHECK_AT(offset >= held[j]->used || held[i]->used <= store_start(held[j]), i);
    }
    longest = length_of(held[0]);
    CHECK_EQ(descriptor_count(), descriptors);
    for (int round = 0; round < 1000; round++) {
        unsigned i = unit_random() % 64;

        store_finish(held[i]);
        held[i] = reserve(STOREFILE_SMALL, (1 + unit_random() % 7) * MIB, &offset);
        for (unsigned j = 0; j < 64; j++)
            CHECK_AT(j == i || offset >= held[j]->used || held[i]->used <= store_start(held[j]), round);
    }
    CHECK(length_of(held[0]) < 3 * longest);
    for (int i = 0; i < 64; i++)
        store_finish(held[i]);
    CHECK_EQ(descriptor_count(), descriptors);
    CHECK_EQ(store_bytes(), 0);
    held[0] = reserve(STOREFILE_SMALL, MIB, &offset);
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
    huge = reserve(STOREFILE_HUGE, 2 * HUGE_SIZE, &offset);
    CHECK_EQ(offset % HUGE_SIZE, 0);
    small = reserve(STOREFILE_SMALL, page_size, &offset);
    CHECK(small->file != huge->file);
    store_finish(small);
    store_finish(reserve(STOREFILE_HUGE, 2 * HUGE_SIZE, &offset));
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

static void count_visits(struct tree_node *view, void *context)
{
    CHECK(view != NULL);
    ++*(unsigned *)context;
}

/* A copy of the process that nobody announced. */
static pid_t copy_of_us(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    while (pid == 0)
        pause();
    return pid;
}

static void end_copy(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(store, what_another_process_shows_waits_until_that_is_gone)
{
    struct store_picture picture;
    struct store *shown, *younger;
    unsigned visits = 0;
    uint64_t offset;
    char *a, *b;
    pid_t pid;

    unit_start("");
    a = sealed_block(64, 1, &b);
    shown = store_at(a);
    pid = copy_of_us();
    CHECK_EQ(store_picture_take(shown, &picture, 16, count_visits, &visits), -EAGAIN);
    CHECK(store_unsettled());
    younger = reserve(STOREFILE_SMALL, page_size, &offset); /* that one it does not show */
    CHECK(younger != shown && younger->file == shown->file && store_alone(younger) && !store_alone(shown));
    store_finish(younger);
    unit_remove(a);
    unit_remove(b);
    CHECK(!store_settle());
    CHECK_EQ(stores_allocated(), 64 * page_size);
    end_copy(pid);
    CHECK(store_settle());
    CHECK_EQ(stores_allocated(), 0);
    CHECK(!store_unsettled());
}

/* Three generations: each is given back when the copies that were made since are gone. */
TEST(store, generations_end_one_by_one)
{
    char *a[3], *b[3];
    pid_t pid[3];

    unit_start("");
    for (int i = 0; i < 3; i++) {
        a[i] = sealed_block(64, (unsigned)i, &b[i]);
        store_after_fork(false);
        pid[i] = copy_of_us();
    }
    for (int i = 0; i < 3; i++) {
        unit_remove(a[i]);
        unit_remove(b[i]);
    }
    CHECK_EQ(stores_allocated(), 3 * 64 * page_size);
    for (unsigned i = 3; i-- > 0;) {
        end_copy(pid[i]);
        store_settle();
        CHECK_AT(stores_allocated() == i * 64 * page_size, i);
    }
}

TEST(store, a_copy_that_executes_another_program_is_gone)
{
    int wait[2];
    char *a, *b, byte;
    pid_t pid;

    unit_start("");
    a = sealed_block(64, 1, &b);
    CHECK_EQ(pipe2(wait, O_CLOEXEC), 0);
    pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        execl("/bin/sleep", "sleep", "60", (char *)NULL);
        _exit(127);
    }
    close(wait[1]);
    CHECK_EQ(read(wait[0], &byte, 1), 0); /* closed by exec */
    CHECK(store_alone(store_at(a)));
    unit_remove(a);
    unit_remove(b);
    CHECK_EQ(stores_allocated(), 0);
    end_copy(pid);
}

static int live_as_heir(void *argument)
{
    char *a = ((char **)argument)[0], *b = ((char **)argument)[1], *c, *d;
    struct store *inherited = store_at(a);
    uint64_t used = inherited->used;

    engine_fork_child();
    c = sealed_block(64, 2, &d);
    if (store_at(c)->file == inherited->file || inherited->used != used)
        return 1;
    unit_remove(c);
    unit_remove(d);
    unit_remove(a);
    unit_remove(b); /* it is the parent's to punch */
    return 0;
}

TEST(store, a_child_has_files_of_its_own)
{
    char *pair[2];

    unit_start("");
    pair[0] = sealed_block(64, 1, &pair[1]);
    engine_fork_prepare();
    CHECK_EQ(unit_child(live_as_heir, pair), 0);
    engine_fork_parent();
    CHECK_EQ(stores_allocated(), 64 * page_size);
    CHECK(unit_holds(pair[0], 64 * page_size, 1) && unit_holds(pair[1], 64 * page_size, 1));
}

/* The parent makes more and ends; the child has the file, and gives back what nobody shows now. */
static int leave_a_child(void *argument)
{
    char *pair[2], byte = 1;
    int *answer = argument, parent[2];
    pid_t pid;

    pair[0] = sealed_block(64, 1, &pair[1]);
    CHECK_EQ(pipe(parent), 0);
    engine_fork_prepare();
    pid = fork();
    if (pid == 0) {
        engine_fork_child();
        close(parent[1]);
        if (read(parent[0], &byte, 1) != 0) /* until the parent has ended */
            _exit(1);
        usleep(20000);
        byte = stores_allocated() == 128 * page_size;
        store_settle();
        byte = byte && stores_allocated() == 64 * page_size;
        byte = byte && unit_holds(pair[0], 64 * page_size, 1) && unit_holds(pair[1], 64 * page_size, 1);
        unit_remove(pair[0]);
        unit_remove(pair[1]);
        byte = byte && stores_allocated() == 0;
        _exit(write(*answer, &byte, 1) != 1);
    }
    engine_fork_parent();
    sealed_block(64, 2, NULL);
    return 0;
}

TEST(store, what_a_parent_leaves_behind_goes_to_its_last_child)
{
    int answer[2];
    char byte = 0;

    unit_start("");
    CHECK_EQ(pipe(answer), 0);
    CHECK_EQ(unit_child(leave_a_child, &answer[1]), 0);
    CHECK_EQ(read(answer[0], &byte, 1), 1);
    CHECK(byte);
}

/* A view that the program moved shows the store as long as it is mapped, and no longer. */
TEST(store, what_is_astray_is_given_back_when_it_is_mapped_nowhere)
{
    char *a, *b;

    unit_start("");
    a = sealed_block(64, 1, &b);
    unit_remove(b);
    CHECK(engine_memory_call(a, 64 * page_size, MEMORY_GONE));
    store_settle();
    CHECK_EQ(stores_allocated(), 64 * page_size);
    CHECK(unit_holds(a, 64 * page_size, 1));
    munmap(a, 64 * page_size);
    CHECK(store_unsettled());
    store_settle();
    CHECK_EQ(stores_allocated(), 0);
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
