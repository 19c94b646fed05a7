/* SPDX-License-Identifier: MIT */
#include "slot.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "oracle.h"

_Atomic unsigned long views_seen;

void fail(const struct world *world, const char *format, ...)
{
    char line[512];
    va_list arguments;
    int used = snprintf(line, sizeof line, "# thread %u, operation %ld, process %d: ", world->thread, world->at, world->depth);

    va_start(arguments, format);
    vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    va_end(arguments);
    dprintf(1, "%s\n", line);
    _exit(1);
}

void slot_room(struct world *world, struct slot *slot, size_t size)
{
    size_t room = (size + 65535) & ~(size_t)65535;
    unsigned char *fresh;

    if (slot->room >= size)
        return;
    fresh = oracle_map(room);
    if (fresh == NULL)
        fail(world, "no memory for the oracle");
    if (slot->picture != NULL) {
        oracle_move(fresh, slot->picture, slot->size < size ? slot->size : size);
        oracle_unmap(slot->picture, slot->room);
    }
    slot->picture = fresh;
    slot->room = room;
}

void slot_compare(struct world *world, const struct slot *slot, size_t start, size_t size, const char *what)
{
    size_t at = start + oracle_differ(slot->block + start, slot->picture + start, size);

    if (at < start + size) {
        size_t last = start + size - 1;

        while (slot->block[last] == slot->picture[last])
            last--;
        fail(world, "%s: block %p of %zu bytes differs from byte %zu to %zu (page %zu): is %02x, must be %02x", what, (void *)slot->block,
             slot->size, at, last, at / PAGE, slot->block[at], slot->picture[at]);
    }
}

void slot_check(struct world *world, const struct slot *slot, uint64_t seed, const char *what)
{
    if (slot->block == NULL || slot->size == 0)
        return;
    if (seed % 4 == 0) {
        slot_compare(world, slot, 0, slot->size, what);
        return;
    }
    slot_compare(world, slot, 0, 1, what);
    slot_compare(world, slot, slot->size - 1, 1, what);
    for (int i = 0; i < 12; i++)
        slot_compare(world, slot, oracle_random(&seed) % slot->size, 1, what);
}

void slot_look_for_views(const struct slot *slot)
{
    static char text[1 << 20];
    static _Atomic int busy;
    int free_one = 0;
    long fd, got;
    size_t used = 0;

    if (slot->block == NULL || slot->size < limits.unit ||
        !__atomic_compare_exchange_n((int *)&busy, &free_one, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && used < sizeof text - 1 && (got = syscall(SYS_read, fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    if (fd >= 0)
        syscall(SYS_close, fd);
    text[used] = '\0';
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1) {
        unsigned long start, end, inode = 0;

        if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &start, &end, &inode) == 3 && inode != 0 &&
            start < (unsigned long)slot->block + slot->size && end > (unsigned long)slot->block) {
            views_seen++;
            break;
        }
    }
    __atomic_store_n((int *)&busy, 0, __ATOMIC_SEQ_CST);
}

void slot_write(struct slot *slot, size_t start, size_t size, uint64_t seed)
{
    size_t end = start + size;

    for (; start < end && (start & 7) != 0; start++)
        slot->picture[start] = *(volatile unsigned char *)(slot->block + start) = (unsigned char)oracle_random(&seed);
    for (; start + 8 <= end; start += 8) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        *(volatile uint64_t *)(void *)(slot->block + start) = seed;
        *(uint64_t *)(void *)(slot->picture + start) = seed;
    }
    for (; start < end; start++)
        slot->picture[start] = *(volatile unsigned char *)(slot->block + start) = (unsigned char)oracle_random(&seed);
}

void slot_pick_range(const struct slot *slot, const struct op *op, size_t *start, size_t *size)
{
    *start = op->y % slot->size;
    *size = 1 + op->z % (slot->size - *start);
    switch (op->x % 4) {
    case 0:
        *start = 0;
        *size = slot->size;
        break;
    case 1:
        *start &= ~(PAGE - 1);
        *size = slot->size - *start;
        break;
    case 2:
        if ((*start & ~(PAGE - 1)) + (*size & ~(PAGE - 1)) <= slot->size && *size >= PAGE) {
            *start &= ~(PAGE - 1);
            *size &= ~(PAGE - 1);
        }
        break;
    default:
        break;
    }
}

void slot_take_over(struct slot *slot, size_t start, size_t end)
{
    if (start < end)
        oracle_move(slot->picture + start, slot->block + start, end - start);
}
