/* SPDX-License-Identifier: MIT */
/* Every way to make a process, after a copy and in the middle of one: each side keeps its bytes, whoever writes, frees or copies on;
   nothing hangs, and nothing of ours is left open. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"

#define SIZE ((size_t)4 << 20)
#define CHILD_STACK ((size_t)256 << 10)

extern char **environ;
pid_t _Fork(void);

/* Two views of one store, with a page of its own in each. */
static struct pair {
    unsigned char *original, *copy;
} pair;

static void make_pair(void)
{
    pair.original = malloc(SIZE);
    pair.copy = malloc(SIZE);
    paint(pair.original, SIZE, 1);
    memcpy(pair.copy, pair.original, SIZE);
    pair.original[4096] ^= 0xff;
    pair.copy[8192] ^= 0xff;
}

static void free_pair(void)
{
    free(pair.original);
    free(pair.copy);
}

static bool pair_is_right(void)
{
    return pair.original[4096] == (pattern(4096, 1) ^ 0xff) && pair.copy[8192] == (pattern(8192, 1) ^ 0xff) &&
           first_wrong(pair.original, 4096, 0, 1) == SIZE_MAX && first_wrong(pair.copy, 8192, 0, 1) == SIZE_MAX &&
           first_wrong(pair.original + 4097, SIZE - 4097, 4097, 1) == SIZE_MAX &&
           first_wrong(pair.copy + 8193, SIZE - 8193, 8193, 1) == SIZE_MAX;
}

/* All that a process may do with what it has: writes everything, copies, frees, allocates. */
static int live_on(unsigned salt)
{
    unsigned char *third = malloc(SIZE);
    int wrong = !pair_is_right();

    memcpy(third, pair.copy, SIZE);
    paint(pair.original, SIZE, salt);
    wrong |= (third[8192] != pair.copy[8192]) << 1;
    paint(pair.copy, SIZE, salt + 1);
    memcpy(third, pair.original, SIZE);
    wrong |= (first_wrong(pair.original, SIZE, 0, salt) != SIZE_MAX) << 2;
    wrong |= (first_wrong(pair.copy, SIZE, 0, salt + 1) != SIZE_MAX) << 3;
    free(pair.original);
    pair.original = realloc(third, SIZE * 2);
    wrong |= (first_wrong(pair.original, SIZE, 0, salt) != SIZE_MAX) << 4;
    return wrong;
}

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
    alarm(20);
    return live_on(30);
}

/* Its child does not come back here. */
static pid_t by_clone(void)
{
    static char stack[CHILD_STACK] __attribute__((aligned(64)));

    return clone(in_clone, stack + sizeof stack, SIGCHLD, NULL);
}

static int end_of(pid_t pid, const char *name)
{
    int status;

    CHECK(pid > 0, "%s: no child: %s", name, strerror(errno));
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "%s: the child ended with status 0x%x", name, (unsigned)status);
    return KEPT;
}

/* The parent writes everything as well, before the child does, or after. */
static int each_side_keeps_its_bytes(void)
{
    static const struct {
        const char *name;
        pid_t (*make)(void);
    } ways[] = {{"fork", by_fork},           {"_Fork", by_Fork}, {"syscall(clone)", by_syscall_clone},
                {"syscall(clone3)", by_syscall_clone3}, {"clone", by_clone}};

    for (size_t i = 0; i < COUNT_OF(ways) * 2; i++) {
        bool parent_first = i % 2 == 0;
        int ends[2], broken;
        pid_t pid;

        make_pair();
        CHECK(pipe(ends) == 0, "no pipe");
        pid = ways[i / 2].make();
        if (pid == 0) {
            char byte;

            alarm(20);
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

static int open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (directory != NULL && readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* vfork returns twice in one frame: what the child does to variables of ours must not be here. */
static pid_t vfork_and(void (*act)(void))
{
    pid_t pid = vfork();

    if (pid == 0) {
        act();
        _exit(0);
    }
    return pid;
}

static unsigned char *third;

static void do_all(void)
{
    memcpy(third, pair.original, SIZE);
    memset(pair.copy, 3, SIZE);
    madvise(pair.original, SIZE, MADV_DONTNEED);
    third = realloc(third, SIZE * 2);
    free(malloc(SIZE));
}

/* In a vfork child everything is the parent's. */
static int vfork_children_do_all(void)
{
    third = malloc(SIZE);
    make_pair();
    if (end_of(vfork_and(do_all), "vfork") != KEPT)
        return BROKEN;
    CHECK(third[4096] == (pattern(4096, 1) ^ 0xff) && first_wrong(third + 4097, SIZE - 4097, 4097, 1) == SIZE_MAX,
          "the child's copy is wrong");
    CHECK(pair.copy[0] == 3 && pair.copy[SIZE - 1] == 3, "the child's memset is lost");
    CHECK(pair.original[0] == 0 || pair.original[0] == pattern(0, 1), "madvise left %d", pair.original[0]);
    paint(pair.original, SIZE, 1);
    pair.original[4096] ^= 0xff;
    memcpy(pair.copy, pair.original, SIZE);
    pair.copy[4096] ^= 0xff;
    CHECK(first_wrong(pair.copy, SIZE, 0, 1) == SIZE_MAX, "the parent's next copy is wrong");
    free(third);
    free_pair();
    return KEPT;
}

static void close_and_drop(void)
{
    closefrom(3);
    madvise(pair.original, SIZE, MADV_DONTNEED); /* natively unaligned, and then nothing happens */
    mprotect(pair.copy, SIZE, PROT_READ); /* what is protected is looked up in /proc, which has to be opened */
    madvise(pair.copy, SIZE, MADV_DONTNEED);
    mprotect(pair.copy, SIZE, PROT_READ | PROT_WRITE);
}

static int vfork_children_leave_nothing_open(void)
{
    int before = 0;

    for (int round = 0; round < 20; round++) {
        make_pair();
        if (end_of(vfork_and(close_and_drop), "vfork") != KEPT)
            return BROKEN;
        free_pair();
        if (round == 2)
            before = open_descriptors();
    }
    /* A leak would be one for each; a file of /proc that is opened at need, once, is none. */
    CHECK(open_descriptors() <= before + 1, "%d descriptors, and %d after 17 more children", before, open_descriptors());
    return KEPT;
}

static int in_shared_memory(void *unused)
{
    (void)unused;
    memcpy(pair.copy, pair.original, SIZE);
    return 0;
}

/* A process that shares our memory while we wait, with or without our descriptors. */
static int clones_that_share_memory(void)
{
    static char stack[CHILD_STACK] __attribute__((aligned(64)));
    static const int flags[] = {CLONE_VM | CLONE_VFORK, CLONE_VM | CLONE_VFORK | CLONE_FILES, CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_SIGHAND};

    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        make_pair();
        if (end_of(clone(in_shared_memory, stack + sizeof stack, flags[i] | SIGCHLD, NULL), "clone") != KEPT)
            return BROKEN;
        pair.copy[4096] ^= 0xff;
        CHECK(first_wrong(pair.copy, SIZE, 0, 1) == SIZE_MAX, "flags %x: the copy is wrong", (unsigned)flags[i]);
        free_pair();
    }
    return KEPT;
}

/* Says what it has open. It is preloaded like every program, but copies nothing. */
static char shell[] = "sh", option[] = "-c", listing[] = "for file in /proc/$$/fd/*; do readlink $file; done; exit 0";
static char *const list_files[] = {shell, option, listing, NULL};

static int read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    ssize_t got;

    while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = '\0';
    close(fd);
    return (int)length;
}

static pid_t spawn_it(void)
{
    pid_t pid;

    return posix_spawn(&pid, "/bin/sh", NULL, NULL, list_files, environ) == 0 ? pid : -1;
}

static void execute_it(void)
{
    execv("/bin/sh", list_files);
    _exit(127);
}

static pid_t vfork_it(void)
{
    return vfork_and(execute_it);
}

static pid_t fork_it(void)
{
    pid_t pid = fork();

    if (pid == 0)
        execute_it();
    return pid;
}

static int nothing_survives_exec(void)
{
    static const struct {
        const char *name;
        pid_t (*make)(void);
    } ways[] = {{"posix_spawn", spawn_it}, {"vfork", vfork_it}, {"fork", fork_it}};

    static const char *const ours[] = {"memfd:", "/#", "pagemap", "maps", "status", "userfaultfd"};

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        char text[4096];
        int ends[2], kept = dup(1);
        pid_t pid;

        make_pair();
        CHECK(shows_store(pair.copy, SIZE) || getenv("COWSHIM_POLICY") == NULL, "the copy is not shared");
        CHECK(pipe2(ends, O_CLOEXEC) == 0, "no pipe");
        fflush(stdout);
        dup2(ends[1], 1);
        fcntl(kept, F_SETFD, FD_CLOEXEC);
        pid = ways[i].make();
        dup2(kept, 1);
        close(kept);
        close(ends[1]);
        CHECK(read_all(ends[0], text, sizeof text) > 0, "%s: no answer", ways[i].name);
        if (end_of(pid, ways[i].name) != KEPT)
            return BROKEN;
        for (size_t j = 0; j < COUNT_OF(ours); j++)
            CHECK(strstr(text, ours[j]) == NULL, "%s: the program has %s open:\n# %s", ways[i].name, ours[j], text);
        CHECK(pair_is_right(), "%s: the parent's bytes changed", ways[i].name);
        free_pair();
    }
    return KEPT;
}

static int shells_run(void)
{
    char text[64];
    FILE *pipe_of;

    make_pair();
    CHECK(system("exit 7") >> 8 == 7, "system");
    pipe_of = popen("echo 12345", "r");
    CHECK(pipe_of != NULL && fgets(text, sizeof text, pipe_of) != NULL && strcmp(text, "12345\n") == 0, "popen");
    CHECK(pclose(pipe_of) == 0, "pclose");
    CHECK(pair_is_right(), "the parent's bytes changed");
    free_pair();
    return KEPT;
}

/* daemon() forks, leaves its parent, and closes the standard descriptors. */
static int daemons_work(void)
{
    char byte = 1;
    int ends[2];
    pid_t pid;

    make_pair();
    CHECK(pipe(ends) == 0, "no pipe");
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        if (daemon(1, 0) != 0)
            _exit(1);
        alarm(20);
        closefrom(ends[1] + 1);
        byte = (char)live_on(50);
        _exit(write(ends[1], &byte, 1) != 1);
    }
    close(ends[1]);
    if (end_of(pid, "its parent") != KEPT)
        return BROKEN;
    CHECK(read(ends[0], &byte, 1) == 1, "the daemon does not answer");
    CHECK(byte == 0, "the daemon's bytes are wrong: %x", (unsigned)byte);
    close(ends[0]);
    CHECK(pair_is_right(), "the parent's bytes changed");
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
            alarm(20);
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
        {"a vfork child copies, fills, advises and resizes", vfork_children_do_all},
        {"a vfork child that drops the last view leaves nothing open", vfork_children_leave_nothing_open},
        {"clones that share memory copy", clones_that_share_memory},
        {"nothing of ours survives posix_spawn, vfork and exec, fork and exec", nothing_survives_exec},
        {"system and popen", shells_run},
        {"daemon", daemons_work},
        {"forks in the middle of other threads' copies, with copies in fork handlers", forks_in_the_middle_of_copies},
    };

    return tell_all(stories, COUNT_OF(stories));
}
