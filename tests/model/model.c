/* SPDX-License-Identifier: MIT */
/* Random operations on many blocks against a picture of them that the shim cannot see.
     model --seed S --ops N [--threads T] [--min-size SIZE] [--max-size SIZE] [--expect shared|plain] [--seconds S]
   runs the operations in a child process; when that fails, ever shorter lists of operations are tried in further children, and the
   shortest that still fails is printed. model --replay FILE runs such a list again. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <time.h>

#include "oracle.h"
#include "world.h"

static struct op *ops; /* the list, in memory of the oracle's kind */
static size_t count;
static uint64_t seed = 1;
static const char *expect = "";
static bool strict;             /* everything is compared after each operation */
static unsigned patience = 120; /* seconds that one run may take */
static volatile long *progress; /* shared with the parent: the operation under way */
static int progress_file = -1;

static void *run_thread(void *argument)
{
    unsigned thread = (unsigned)(uintptr_t)argument;
    struct world *world = (struct world *)(void *)oracle_map(sizeof *world);

    world->thread = thread;
    for (size_t i = 0; i < count; i++) {
        if (ops[i].thread != thread)
            continue;
        world->at = (long)i;
        if (progress != NULL)
            *progress = (long)i;
        op_run(world, &ops[i]);
        if (strict)
            world_verify(world);
    }
    world_finish(world);
    return NULL;
}

/* In the child: the list. Does not return. */
static void run_list(void)
{
    pthread_t threads[MAX_THREADS];

    alarm(patience);
    world_sources(seed);
    for (unsigned i = 1; i < limits.threads; i++)
        if (pthread_create(&threads[i], NULL, run_thread, (void *)(uintptr_t)i) != 0)
            exit(2);
    run_thread(NULL);
    for (unsigned i = 1; i < limits.threads; i++)
        pthread_join(threads[i], NULL);
    dprintf(1, "# seed %" PRIu64 ": %lu operations, %lu large copies, views seen %lu times\n", seed, operations, copies_made, views_seen);
    if (strcmp(expect, "shared") == 0 && views_seen == 0) {
        dprintf(1, "# nothing was ever shared: the shim is not there, or does nothing\n");
        exit(3);
    }
    if (strcmp(expect, "plain") == 0 && views_seen != 0) {
        dprintf(1, "# something was shared where nothing could be\n");
        exit(3);
    }
    exit(0);
}

static void generate(size_t n)
{
    uint64_t state = seed;

    count = n;
    ops = (struct op *)(void *)oracle_map((n + 1) * sizeof *ops);
    for (size_t i = 0; i < n; i++)
        ops[i] = op_random(&state, (unsigned)(i % limits.threads));
}

static int write_list(const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        return -1;
    fprintf(file, "%zu %zu %u %" PRIu64 "\n", limits.unit, limits.largest, limits.threads, seed);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "%u %s %u %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", ops[i].thread, op_name(ops[i].kind), ops[i].a,
                ops[i].b, ops[i].how, ops[i].x, ops[i].y, ops[i].z, ops[i].seed);
    return fclose(file);
}

static int read_list(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t room = 1 << 22;
    char name[32];

    if (file == NULL || fscanf(file, "%zu %zu %u %" SCNu64, &limits.unit, &limits.largest, &limits.threads, &seed) != 4)
        return -1;
    ops = (struct op *)(void *)oracle_map(room * sizeof *ops);
    for (count = 0; count < room; count++) {
        struct op *op = &ops[count];

        if (fscanf(file, "%u %31s %u %u %u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &op->thread, name, &op->a, &op->b, &op->how,
                   &op->x, &op->y, &op->z, &op->seed) != 9)
            break;
        while (op->kind < OP_KINDS && strcmp(name, op_name(op->kind)) != 0)
            op->kind++;
    }
    fclose(file);
    return 0;
}

/* Runs a list in a fresh process of this program: its wait status. */
static int try_list(const char *path, bool quiet)
{
    char progress_text[16];
    char patience_text[16];
    int status;
    pid_t pid;

    snprintf(progress_text, sizeof progress_text, "%d", progress_file);
    snprintf(patience_text, sizeof patience_text, "%u", patience);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        if (quiet)
            dup2(open("/dev/null", O_WRONLY), 1);
        personality(ADDR_NO_RANDOMIZE); /* the same list, the same addresses */
        execl("/proc/self/exe", "model", "--run", path, "--progress", progress_text, "--patience", patience_text, "--expect",
              quiet ? "" : expect, (char *)NULL);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            exit(2);
    return status;
}

static bool still_fails(const char *path, struct op *list, size_t n)
{
    struct op *old_ops = ops;
    size_t old_count = count;
    int times = limits.threads > 1 ? 4 : 1;
    bool fails = false;

    ops = list;
    count = n;
    write_list(path);
    while (!fails && times-- > 0)
        fails = try_list(path, true) != 0;
    ops = old_ops;
    count = old_count;
    return fails;
}

/* Leaves out ever smaller parts as long as the rest fails. */
static void shrink(const char *path)
{
    struct op *rest = (struct op *)(void *)oracle_map((count + 1) * sizeof *rest);
    time_t stop = time(NULL) + 60;
    size_t part = (count + 1) / 2;

    while (part > 0 && time(NULL) < stop) {
        bool shorter = false;

        for (size_t at = 0; at < count && time(NULL) < stop;) {
            size_t n = 0;

            for (size_t i = 0; i < count; i++)
                if (i < at || i >= at + part)
                    rest[n++] = ops[i];
            if (n > 0 && still_fails(path, rest, n)) {
                struct op *old = ops;

                ops = rest;
                rest = old;
                count = n;
                shorter = true;
            } else {
                at += part;
            }
        }
        if (!shorter || part > count)
            part = part == 1 && shorter ? 1 : part / 2;
    }
}

static size_t size_of(const char *text)
{
    char *end;
    size_t size = strtoull(text, &end, 10);

    return size << (*end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : *end == 'G' ? 30 : 0);
}

static int drive(size_t n)
{
    char path[64];
    int status;

    snprintf(path, sizeof path, "/tmp/model.%d.list", (int)getpid());
    progress_file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    if (progress_file < 0 || ftruncate(progress_file, 4096) != 0)
        return 2;
    progress = (volatile long *)syscall(SYS_mmap, 0L, 4096L, PROT_READ | PROT_WRITE, MAP_SHARED, progress_file, 0L);
    generate(n);
    if (write_list(path) != 0)
        return 2;
    status = try_list(path, false);
    if (status == 0 || status == 3 << 8) {
        unlink(path);
        return status == 0 ? 0 : 1;
    }
    printf("# seed %" PRIu64 " failed (status 0x%x%s) at operation %ld of %zu; shrinking\n", seed, (unsigned)status,
           WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ", it hangs" : "", *progress, count);
    fflush(stdout);
    if (limits.threads == 1 && *progress + 1 < (long)count)
        count = (size_t)*progress + 1;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        patience = 5;
    shrink(path);
    snprintf(path, sizeof path, "/tmp/model-%" PRIu64 "-%d.list", seed, (int)getpid());
    write_list(path);
    printf("# the shortest list that fails: %zu operations, run it with: model --replay %s\n", count, path);
    for (size_t i = 0; i < count && i < 40; i++)
        printf("#   %zu: %s a=%u b=%u how=%u x=%" PRIu64 " y=%" PRIu64 " z=%" PRIu64 " seed=%" PRIu64 " thread=%u\n", i,
               op_name(ops[i].kind), ops[i].a, ops[i].b, ops[i].how, ops[i].x, ops[i].y, ops[i].z, ops[i].seed, ops[i].thread);
    fflush(stdout);
    try_list(path, false);
    return 1;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", 1, 0, 's'},   {"ops", 1, 0, 'n'},    {"threads", 1, 0, 't'}, {"min-size", 1, 0, 'm'}, {"max-size", 1, 0, 'M'},
        {"expect", 1, 0, 'e'}, {"replay", 1, 0, 'r'}, {"run", 1, 0, 'R'},     {"progress", 1, 0, 'p'}, {"patience", 1, 0, 'P'},
        {0, 0, 0, 0}};
    const char *list = NULL;
    size_t n = 10000;
    bool largest_given = false;
    int option;

    strict = getenv("MODEL_STRICT") != NULL;
    world_set_actors(getenv("MODEL_ACTORS") == NULL ? 0 : (unsigned)strtoul(getenv("MODEL_ACTORS"), NULL, 0));
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 's':
            seed = strtoull(optarg, NULL, 0);
            break;
        case 'n':
            n = strtoull(optarg, NULL, 0);
            break;
        case 't':
            limits.threads = (unsigned)strtoul(optarg, NULL, 0);
            break;
        case 'm':
            limits.unit = size_of(optarg);
            break;
        case 'M':
            limits.largest = size_of(optarg);
            largest_given = true;
            break;
        case 'e':
            expect = optarg;
            break;
        case 'r':
        case 'R':
            list = optarg;
            break;
        case 'p':
            progress_file = (int)strtol(optarg, NULL, 0);
            break;
        case 'P':
            patience = (unsigned)strtoul(optarg, NULL, 0);
            break;
        default:
            return 2;
        }
    }
    if (limits.threads < 1 || limits.threads > MAX_THREADS || limits.unit < 8192) {
        fprintf(stderr, "model: 1 to %d threads, --min-size from 8K on\n", MAX_THREADS);
        return 2;
    }
    if (!largest_given)
        limits.largest = limits.unit * 6 > (size_t)2 << 20 ? limits.unit * 6 : (size_t)2 << 20;
    if (list == NULL)
        return drive(n);
    if (read_list(list) != 0) {
        fprintf(stderr, "model: %s is no list of operations\n", list);
        return 2;
    }
    if (progress_file >= 0)
        progress = (volatile long *)syscall(SYS_mmap, 0L, 4096L, PROT_READ | PROT_WRITE, MAP_SHARED, progress_file, 0L);
    run_list();
}
