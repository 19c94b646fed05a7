/* SPDX-License-Identifier: MIT */
/* Memory is never worse than natively by more than a twentieth: an array and its copy, both rewritten page by page, with no other call of
   the program's than small allocations. Counted are private memory and the blocks of our files, as anybody can see them. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "instruction.h"
#include "own_files.h"
#include "story.h"

#define SIZE ((size_t)24 << 20)
#define PAGE ((size_t)4096)

static size_t anonymous(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    size_t kilobytes = 0;
    char line[256];

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        sscanf(line, "Anonymous: %zu", &kilobytes);
    if (file != NULL)
        fclose(file);
    return kilobytes << 10;
}

static long bytes_of(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? (long)status.st_blocks * 512 : 0;
}

static long one(const char *path)
{
    (void)path;
    return 1;
}

static size_t memory(void)
{
    return anonymous() + (size_t)over_own_files(getpid(), bytes_of);
}

static void write_pages(unsigned char *block, unsigned char value)
{
    for (size_t at = 0; at < SIZE; at += PAGE)
        ((volatile unsigned char *)block)[at] = value;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Small calls, and nothing else, until there is not more than that; but not for ever. */
static bool falls_to(size_t most)
{
    double end = seconds() + 20;
    size_t is;

    while ((is = memory()) > most && seconds() < end)
        for (int i = 0; i < 300; i++) {
            void *volatile small = malloc(4000);

            free(small);
            usleep(20);
        }
    if (is > most)
        printf("# %zu MiB are left where %zu were allowed\n", is >> 20, most >> 20);
    return is <= most;
}

static struct {
    unsigned char *original, *copy;
    size_t before; /* memory of everything else */
} pair;

static void make_pair(void)
{
    pair.before = memory();
    pair.original = malloc(SIZE);
    pair.copy = malloc(SIZE);
    write_pages(pair.original, 1);
    memcpy(pair.copy, pair.original, SIZE);
}

static void rewrite_pair(void)
{
    write_pages(pair.original, 2);
    write_pages(pair.copy, 3);
}

static size_t allowed(void)
{
    return pair.before + 2 * SIZE + 2 * SIZE / 20;
}

static int end_pair(void)
{
    for (size_t at = 0; at < SIZE; at += PAGE)
        CHECK(pair.original[at] == 2 && pair.copy[at] == 3, "byte %zu is wrong", at);
    free(pair.original);
    free(pair.copy);
    CHECK(falls_to(pair.before + SIZE / 10), "something is left after both were freed");
    return KEPT;
}

static int small_calls_suffice(void)
{
    make_pair();
    rewrite_pair();
    CHECK(falls_to(allowed()), "two arrays take more than natively");
    return end_pair();
}

static int children_come_and_go(void)
{
    make_pair();
    for (int i = 0; i < 10; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    rewrite_pair();
    CHECK(falls_to(allowed()), "two arrays take more than natively");
    return end_pair();
}

static int with_a_child(pid_t (*make)(void))
{
    pid_t pid;

    make_pair();
    pid = make();
    CHECK(pid > 0, "no child");
    rewrite_pair();
    usleep(20000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK(falls_to(allowed()), "two arrays take more than natively");
    return end_pair();
}

static pid_t stay(void)
{
    pid_t pid = fork();

    while (pid == 0)
        pause();
    return pid;
}

static pid_t stay_unannounced(void)
{
    pid_t pid = (pid_t)INSTRUCTION(SYS_clone, SIGCHLD);

    while (pid == 0)
        pause();
    return pid;
}

static int a_child_lives_on(void)
{
    return with_a_child(stay);
}

static int an_unannounced_child_lives_on(void)
{
    return HAVE_INSTRUCTION ? with_a_child(stay_unannounced) : SKIPPED;
}

static int a_child_executes_something_else(void)
{
    pid_t pid;

    make_pair();
    pid = fork();
    if (pid == 0) {
        execl("/bin/sleep", "sleep", "60", (char *)NULL);
        _exit(127);
    }
    rewrite_pair();
    CHECK(falls_to(allowed()), "two arrays take more than natively while the other program runs");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return end_pair();
}

static void *write_there(void *block)
{
    write_pages(block, block == pair.original ? 2 : 3);
    return NULL;
}

static int threads_rewrite(void)
{
    pthread_t threads[2];

    make_pair();
    pthread_create(&threads[0], NULL, write_there, pair.original);
    pthread_create(&threads[1], NULL, write_there, pair.copy);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(falls_to(allowed()), "two arrays take more than natively");
    return end_pair();
}

/* The parent makes more and ends; what it had is given back while the child lives. */
static int a_child_outlives_its_parent(void)
{
    size_t most;
    int answer[2];
    char byte = 1;
    pid_t pid;

    CHECK(pipe(answer) == 0, "no pipe");
    pid = fork();
    if (pid == 0) {
        int parent[2];

        make_pair();
        most = allowed();
        if (pipe(parent) != 0)
            _exit(1);
        if (fork() == 0) {
            close(parent[1]);
            byte = read(parent[0], &byte, 1) != 0;
            rewrite_pair();
            byte = byte || !falls_to(most);
            _exit(write(answer[1], &byte, 1) != 1);
        }
        make_pair();
        make_pair();
        _exit(0);
    }
    close(answer[1]);
    waitpid(pid, NULL, 0);
    CHECK(read(answer[0], &byte, 1) == 1 && byte == 0, "the child has what its parent left behind");
    close(answer[0]);
    return KEPT;
}

static int files_stay_few(void)
{
    unsigned char *blocks[60];
    long files;

    for (int i = 0; i < 60; i += 2) {
        pid_t pid;

        blocks[i] = malloc(SIZE / 8);
        blocks[i + 1] = malloc(SIZE / 8);
        memset(blocks[i], i + 1, SIZE / 8);
        memcpy(blocks[i + 1], blocks[i], SIZE / 8);
        pid = fork();
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    files = over_own_files(getpid(), one);
    CHECK(files <= 3, "%ld files", files); /* one for each kind of store, and the page that other processes read */
    for (int i = 0; i < 60; i++)
        free(blocks[i]);
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"both rewritten, and small calls", small_calls_suffice},
        {"ten children came and went", children_come_and_go},
        {"a child lives on for a while", a_child_lives_on},
        {"a child that nobody announced lives on for a while", an_unannounced_child_lives_on},
        {"a child executes another program, which lives on", a_child_executes_something_else},
        {"two threads rewrite", threads_rewrite},
        {"a child outlives its parent", a_child_outlives_its_parent},
        {"thirty copies and forks, and a file for each kind of store", files_stay_few},
    };

    return tell_all(stories, COUNT_OF(stories));
}
