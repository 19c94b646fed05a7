/* SPDX-License-Identifier: MIT */
/* One cell of the grid: a loop that copies an array, changes a part of the copy or of the array, and lets the copy go.

       grid MIB PERCENT WHERE LIFE ROUNDS

   WHERE: head, middle, scattered (pages all over), window (one that moves), source (the head of the array itself).
   LIFE: dropped (freed at once), ring (eight buffers in turn), chain (the copy takes the place of the array), hand (dropped, where WHERE is
   head; the program itself does what the shim should find out: it keeps the array in a file, maps that for what it will not change of the
   copy, and copies the rest into memory in use).
   Prints the processor time of rounds 1 to 20 together and of all later ones together, in microseconds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define RING 8
#define FIRST 20

struct cell {
    size_t size, changed; /* bytes */
    const char *where, *life;
    char *array, *ring[RING];
    int file; /* by hand: what the array holds */
};

static double processor_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static char *get(size_t size)
{
    char *memory = malloc(size);

    if (memory == NULL)
        exit(1);
    return memory;
}

/* A byte in each of so many pages, by a stride that is odd and so meets every page once. */
static void change_scattered(char *array, size_t pages, size_t count, int value)
{
    for (size_t i = 0, at = (size_t)value * 7919 % pages; i < count; i++, at = (at + 40503) % pages)
        array[at * PAGE + (size_t)value % PAGE] ^= 1;
}

static void change(const struct cell *cell, char *copy, int round)
{
    size_t from = 0;

    if (strcmp(cell->where, "scattered") == 0) {
        change_scattered(copy, cell->size / PAGE, cell->changed / PAGE, round);
        return;
    }
    if (strcmp(cell->where, "middle") == 0)
        from = (cell->size - cell->changed) / 2;
    if (strcmp(cell->where, "window") == 0 && cell->changed < cell->size)
        from = (size_t)round * cell->changed % (cell->size - cell->changed);
    if (strcmp(cell->where, "source") == 0)
        copy = cell->array;
    memset(copy + from, round + 2, cell->changed); /* never what the array holds */
}

static void read_two(const struct cell *cell, const char *copy)
{
    if (copy[cell->size / 2] == 77 && copy[cell->size - 1] == 78)
        puts("");
}

static char *map_over(char *at, size_t size, int flags, int file, size_t offset)
{
    char *memory = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, file, (off_t)offset);

    if (memory == MAP_FAILED)
        exit(1);
    return memory;
}

/* The array moves into a file, which is mapped in its place. */
static void prepare_by_hand(struct cell *cell)
{
    cell->file = memfd_create("grid", MFD_CLOEXEC);
    if (cell->file < 0 || write(cell->file, cell->array, cell->size) != (ssize_t)cell->size)
        exit(1);
    cell->array = map_over(NULL, cell->size, 0, cell->file, 0);
    cell->ring[0] = map_over(NULL, cell->size, MAP_ANONYMOUS, -1, 0);
    memset(cell->ring[0], 1, cell->changed);
}

static void go_round_by_hand(const struct cell *cell, int round)
{
    char *copy = cell->ring[0];
    size_t rest = cell->size - cell->changed;

    memcpy(copy, cell->array, cell->changed);
    if (rest > 0)
        map_over(copy + cell->changed, rest, MAP_FIXED, cell->file, cell->changed);
    change(cell, copy, round);
    read_two(cell, copy);
    if (rest > 0)
        map_over(copy + cell->changed, rest, MAP_FIXED | MAP_ANONYMOUS, -1, 0);
}

static void go_round(struct cell *cell, int round)
{
    char **place = &cell->ring[round % RING];
    char *copy;

    if (strcmp(cell->life, "hand") == 0) {
        go_round_by_hand(cell, round);
        return;
    }
    copy = strcmp(cell->life, "ring") == 0 ? *place : get(cell->size);
    memcpy(copy, cell->array, cell->size);
    change(cell, copy, round);
    read_two(cell, copy);
    if (strcmp(cell->life, "dropped") == 0)
        free(copy);
    if (strcmp(cell->life, "chain") == 0) {
        free(cell->array);
        cell->array = copy;
    }
}

int main(int count, char **words)
{
    struct cell cell;
    double start, first;
    int rounds;

    if (count != 6)
        return 2;
    cell.size = (size_t)atoi(words[1]) << 20;
    cell.changed = (size_t)((double)cell.size * atof(words[2]) / 100) / PAGE * PAGE;
    cell.where = words[3];
    cell.life = words[4];
    rounds = atoi(words[5]);
    cell.array = get(cell.size);
    memset(cell.array, 1, cell.size);
    for (int i = 0; i < RING && strcmp(cell.life, "ring") == 0; i++)
        cell.ring[i] = get(cell.size);
    if (strcmp(cell.life, "hand") == 0)
        prepare_by_hand(&cell);
    start = processor_us();
    for (int i = 0; i < FIRST; i++)
        go_round(&cell, i);
    first = processor_us();
    for (int i = FIRST; i < rounds; i++)
        go_round(&cell, i);
    printf("%.1f %.1f\n", first - start, processor_us() - first);
    return 0;
}
