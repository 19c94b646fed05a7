/* SPDX-License-Identifier: MIT */
/* Children that share our memory, become other programs, or leave us: the parent's bytes stay, and nothing of ours is left open. */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>

#include "pair.h"
#include "tests/support/patience.h"

extern char **environ;

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
    mprotect(pair.copy, SIZE, PROT_READ);        /* what is protected is looked up in /proc, which has to be opened */
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
    /* A leak would be one for each of 17; files of /proc that are opened at need, once, are none. */
    CHECK(open_descriptors() <= before + 5, "%d descriptors, and %d after 17 more children", before, open_descriptors());
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
    static const int flags[] = {CLONE_VM | CLONE_VFORK, CLONE_VM | CLONE_VFORK | CLONE_FILES,
                                CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_SIGHAND};

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
        alarm(patience(20));
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

int main(void)
{
    static const struct story stories[] = {
        {"a vfork child copies, fills, advises and resizes", vfork_children_do_all},
        {"a vfork child that drops the last view leaves nothing open", vfork_children_leave_nothing_open},
        {"clones that share memory copy", clones_that_share_memory},
        {"nothing of ours survives posix_spawn, vfork and exec, fork and exec", nothing_survives_exec},
        {"system and popen", shells_run},
        {"daemon", daemons_work},
    };

    return tell_all(stories, COUNT_OF(stories));
}
