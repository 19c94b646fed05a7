/* SPDX-License-Identifier: MIT */
/* A simulation that keeps its last ten states in memory and writes every state to a file, of which it writes only the pages that
   changed: cowshim_dup() and cowshim_diff(). Then the last state is restored from the file and compared.

       cc -O2 checkpoint_ring.c -o checkpoint_ring       with -I for cowshim.h; it links with nothing
       cowshim run -- ./checkpoint_ring [MIB]            the same results without the shim, but eleven times the memory */
#include <cowshim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RING 10
#define STEPS 25

struct file {
    FILE *stream;
    const char *state;
    size_t written;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Ends a step: whoever runs us looks at our memory and sends a line. */
static void done(const char *name)
{
    static double start;
    char line[8];

    printf("step %.6f %s\n", start == 0 ? 0 : now() - start, name);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        clearerr(stdin);
    start = now();
}

/* One percent of the state, another part each time. */
static void simulate(double *state, size_t count, unsigned step)
{
    size_t part = count / 100, from = step * 37 % 100 * part;

    for (size_t i = 0; i < part; i++)
        state[from + i] = state[from + i] * 0.75 + (double)((i ^ step) & 1023);
}

/* A record of the file: offset, length, bytes. */
static int write_range(void *context, size_t offset, size_t length)
{
    struct file *file = context;
    size_t head[2] = {offset, length};

    if (fwrite(head, sizeof head, 1, file->stream) != 1 || fwrite(file->state + offset, length, 1, file->stream) != 1)
        fail("writing");
    file->written += length;
    return 0;
}

static void restore(FILE *stream, char *state)
{
    size_t head[2];

    rewind(stream);
    while (fread(head, sizeof head, 1, stream) == 1)
        if (fread(state + head[0], head[1], 1, stream) != 1)
            fail("reading");
}

int main(int argc, char **argv)
{
    size_t size = (argc > 1 ? strtoul(argv[1], NULL, 10) : 256) << 20, count = size / sizeof(double);
    double *state = malloc(size), *ring[RING] = {NULL}, *copy;
    struct file file = {tmpfile(), (const char *)state, 0};

    if (state == NULL || size == 0 || file.stream == NULL)
        fail("starting");
    for (size_t i = 0; i < count; i++)
        state[i] = (double)(i % 1000);
    write_range(&file, 0, size);
    file.written = 0;
    ring[0] = cowshim_dup(state, size);
    if (ring[0] == NULL)
        fail("cowshim_dup");
    done("first state");

    for (unsigned step = 1; step <= STEPS; step++) {
        simulate(state, count, step);
        if (cowshim_diff(ring[(step - 1) % RING], state, size, 0, write_range, &file) < 0)
            fail("cowshim_diff");
        free(ring[step % RING]);
        ring[step % RING] = cowshim_dup(state, size);
        if (ring[step % RING] == NULL)
            fail("cowshim_dup");
    }
    copy = malloc(size);
    if (copy == NULL)
        fail("restoring");
    restore(file.stream, (char *)copy);
    printf("written for each step: %.2f %% of the state\n", 100.0 * (double)file.written / STEPS / (double)size);
    printf("restored byte for byte: %s\n", memcmp(copy, state, size) == 0 ? "yes" : "no");
    free(copy);
    free(ring[(STEPS + 1) % RING]); /* the oldest */
    done("25 steps, restored from the file, nine states kept");
    return 0;
}
