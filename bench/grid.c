/* SPDX-License-Identifier: MIT */
/* One cell of the grid: a loop that copies an array, changes a part of the copy or of the array, and lets the copy go.

       grid MIB PERCENT WHERE LIFE ROUNDS

   WHERE: head, middle, scattered (pages all over), window (one that moves), source (the head of the array itself).
   LIFE: dropped (freed at once), ring (eight buffers in turn), chain (the copy takes the place of the array).
   Prints the processor time of rounds 1 to 20 together and of all later ones together, in microseconds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAGE ((size_t)4096)
#define RING 8
#define FIRST 20

struct cell {
    size_t size, changed; /* bytes */
    const char *where, *life;
    char *array, *ring[RING];
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

static void go_round(struct cell *cell, int round)
{
    char **place = &cell->ring[round % RING];
    char *copy = strcmp(cell->life, "ring") == 0 ? *place : get(cell->size);

    memcpy(copy, cell->array, cell->size);
    change(cell, copy, round);
    if (copy[cell->size / 2] == 77 && copy[cell->size - 1] == 78)
        puts("");
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
    start = processor_us();
    for (int i = 0; i < FIRST; i++)
        go_round(&cell, i);
    first = processor_us();
    for (int i = FIRST; i < rounds; i++)
        go_round(&cell, i);
    printf("%.1f %.1f\n", first - start, processor_us() - first);
    return 0;
}
