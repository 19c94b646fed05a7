/* SPDX-License-Identifier: MIT */
/* Every way to fork, after a copy and in the middle of one: each side keeps its bytes, whoever writes, frees or copies on, and nothing
   hangs. */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "pair.h"
#include "tests/support/patience.h"

pid_t _Fork(void);

static pid_t by_fork(void)
{
    return fork();
}

static pid_t by_Fork(void)
{
    return _Fork();
}

static pid_t by_syscall_clone(void)
{
    return (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, NULL, NULL, 0L);
}

static pid_t by_syscall_clone3(void)
{
    struct {
        uint64_t flags, pidfd, child, parent, signal, stack, stack_size, tls;
    } arguments = {.signal = SIGCHLD};

    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static int in_clone(void *unused)
{
    (void)unused;
    alarm(patience(20));
    return live_on(30);
}

/* Its child does not come back here. */
static pid_t by_clone(void)
{
    static char stack[CHILD_STACK] __attribute__((aligned(64)));

    return clone(in_clone, stack + sizeof stack, SIGCHLD, NULL);
}

/* The parent writes everything as well, before the child does, or after. */
static int each_side_keeps_its_bytes(void)
{
    static const struct {
        const char *name;
        pid_t (*make)(void);
    } ways[] = {{"fork", by_fork},
                {"_Fork", by_Fork},
                {"syscall(clone)", by_syscall_clone},
                {"syscall(clone3)", by_syscall_clone3},
                {"clone", by_clone}};

    for (size_t i = 0; i < COUNT_OF(ways) * 2; i++) {
        bool parent_first = i % 2 == 0;
        int ends[2], broken;
        pid_t pid;

        make_pair();
        CHECK(pipe(ends) == 0, "no pipe");
        pid = ways[i / 2].make();
        if (pid == 0) {
            char byte;

            alarm(patience(20));
            close(ends[1]);
            if (parent_first && read(ends[0], &byte, 1) != 0)
                _exit(99);
            _exit(live_on(10));
        }
        if (!parent_first && end_of(pid, ways[i / 2].name) != KEPT)
            return BROKEN;
        broken = live_on(20);
        close(ends[0]);
        close(ends[1]);
        CHECK(broken == 0, "%s: the parent's bytes are wrong: %x", ways[i / 2].name, (unsigned)broken);
        if (parent_first && end_of(pid, ways[i / 2].name) != KEPT)
            return BROKEN;
        free_pair();
    }
    return KEPT;
}

static int generations(unsigned depth)
{
    int status;
    pid_t pid;

    if (depth == 0)
        return live_on(40);
    pid = fork();
    if (pid == 0) {
        unsigned char *mine = malloc(SIZE);
        int wrong;

        memcpy(mine, pair.copy, SIZE);
        mine[8192] ^= 0xff;
        wrong = generations(depth - 1);
        _exit(wrong | (first_wrong(mine, SIZE, 0, 1) != SIZE_MAX) << 5);
    }
    free(malloc(SIZE));
    if (waitpid(pid, &status, 0) != pid || status != 0)
        return 64;
    return !pair_is_right();
}

static int grandchildren(void)
{
    int broken;

    make_pair();
    broken = generations(4);
    CHECK(broken == 0, "some generation is wrong: %x", (unsigned)broken);
    free_pair();
    return KEPT;
}

static int child_frees_what_the_parent_has(void)
{
    pid_t pid;

    make_pair();
    pid = fork();
    if (pid == 0) {
        pid_t inner = fork();

        free_pair();
        if (inner == 0)
            _exit(0);
        _exit(end_of(inner, "inner"));
    }
    if (end_of(pid, "outer") != KEPT)
        return BROKEN;
    CHECK(pair_is_right(), "the parent's blocks are wrong");
    free_pair();
    return KEPT;
}

static struct {
    unsigned char *from, *to;
    bool on;
    int wrong;
} at_fork;

/* Registered after the shim's handlers, these run before them in prepare and after them in parent and child. */
static void copy_at_fork(void)
{
    if (!at_fork.on)
        return;
    at_fork.from[5] ^= 0;
    memcpy(at_fork.to, at_fork.from, SIZE);
    at_fork.to[77] ^= 1;
    at_fork.wrong += at_fork.to[77] != (pattern(77, 6) ^ 1) || at_fork.to[SIZE - 1] != pattern(SIZE - 1, 6);
    free(malloc(SIZE));
}

static volatile bool stop;

static void *copy_on(void *unused)
{
    unsigned char *from = malloc(SIZE), *to = malloc(SIZE);
    uintptr_t wrong = 0;

    for (unsigned round = 0; !stop; round++) {
        paint(from, SIZE, round);
        memcpy(to, from, SIZE);
        wrong += first_wrong(to, SIZE, 0, round) != SIZE_MAX;
    }
    free(from);
    free(to);
    return (void *)(wrong + (uintptr_t)unused);
}

static int fork_a_few(void)
{
    for (int i = 0; i < 9; i++) {
        pid_t pid = i % 3 == 2 ? by_syscall_clone() : i % 3 == 1 ? _Fork() : fork();

        if (pid == 0) {
            alarm(patience(20));
            _exit(live_on(60) | at_fork.wrong << 6);
        }
        if (end_of(pid, "fork") != KEPT)
            return BROKEN;
        CHECK(at_fork.wrong == 0, "a copy in a fork handler is wrong");
    }
    CHECK(pair_is_right(), "the parent's bytes changed");
    return KEPT;
}

static int forks_in_the_middle_of_copies(void)
{
    pthread_t threads[2];
    void *wrong;
    int broken;

    make_pair();
    at_fork.from = malloc(SIZE);
    at_fork.to = malloc(SIZE);
    paint(at_fork.from, SIZE, 6);
    pthread_atfork(copy_at_fork, copy_at_fork, copy_at_fork);
    at_fork.on = true;
    stop = false;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, copy_on, NULL) == 0, "no thread");
    broken = fork_a_few();
    stop = true;
    at_fork.on = false;
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL, "%lu copies of thread %d are wrong", (unsigned long)(uintptr_t)wrong, i);
    }
    free_pair();
    free(at_fork.from);
    free(at_fork.to);
    return broken;
}

int main(void)
{
    static const struct story stories[] = {
        {"fork, _Fork, clone and clone3: each side keeps its bytes and goes on", each_side_keeps_its_bytes},
        {"grandchildren copy copies", grandchildren},
        {"children free what their parents use", child_frees_what_the_parent_has},
        {"forks in the middle of other threads' copies, with copies in fork handlers", forks_in_the_middle_of_copies},
    };

    return tell_all(stories, COUNT_OF(stories));
}
