/* SPDX-License-Identifier: MIT */
/* Stores that other processes may show: when they are given back, and by whom. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine_unit.h"

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
    CHECK_EQ(store_picture_take(shown, &picture, 16, count_visit, &visits), -EAGAIN);
    CHECK(store_unsettled());
    younger = reserve_store(STOREFILE_SMALL, page_size, &offset); /* that one it does not show */
    CHECK(younger != shown && younger->file == shown->file && store_alone(younger) && !store_alone(shown));
    unit_remove(a);
    unit_remove(b);
    CHECK(!store_settle());
    CHECK_EQ(stores_allocated(), 64 * page_size);
    end_copy(pid);
    CHECK(store_settle());
    CHECK_EQ(stores_allocated(), 0);
    CHECK(!store_unsettled());
    store_finish(younger);
}

/* Where no store of ours is left in the file it is closed at once, so that the end of the other process suffices. */
TEST(store, what_only_another_process_shows_is_left_to_it)
{
    char *a, *b;
    ino_t file;
    pid_t pid;

    unit_start("");
    a = sealed_block(64, 1, &b);
    file = store_at(a)->file->descriptor.inode;
    pid = copy_of_us();
    unit_remove(a);
    unit_remove(b);
    CHECK_EQ(stores_allocated(), 0);
    CHECK(!store_settle());
    a = sealed_block(64, 2, &b);
    CHECK(store_at(a)->file->descriptor.inode != file);
    end_copy(pid);
    unit_remove(a);
    unit_remove(b);
}

/* Three generations: each is given back when the copies that were made since are gone. */
TEST(store, generations_end_one_by_one)
{
    struct store *younger;
    char *a[3], *b[3];
    uint64_t offset;
    pid_t pid[3];

    unit_start("");
    for (int i = 0; i < 3; i++) {
        a[i] = sealed_block(64, (unsigned)i, &b[i]);
        store_after_fork(false);
        pid[i] = copy_of_us();
    }
    younger = reserve_store(STOREFILE_SMALL, page_size, &offset); /* so that the file stays */
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
    store_finish(younger);
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
