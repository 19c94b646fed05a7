/* SPDX-License-Identifier: MIT */
/* Writes, and the calls that change memory: fills, advice, protection, system calls, mappings of the program's own. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "operation.h"
#include "oracle.h"
#include "slot.h"

void *__memset_chk(void *, int, size_t, size_t);

void run_write(struct slot *slot, const struct op *op)
{
    uint64_t state = op->seed;
    size_t start, size;

    switch (op->how % 6) {
    case 0: /* one byte */
        slot_write(slot, op->y % slot->size, 1, state);
        break;
    case 1: /* some bytes here and there */
        for (unsigned n = 1 + op->z % 40; n > 0; n--)
            slot_write(slot, oracle_random(&state) % slot->size, 1, state);
        break;
    case 2: /* every n-th page */
        for (size_t at = op->y % PAGE; at < slot->size; at += PAGE * (2 + op->z % 40))
            slot_write(slot, at, 1, state);
        break;
    case 3: /* all */
        slot_write(slot, 0, slot->size, state);
        break;
    default:
        slot_pick_range(slot, op, &start, &size);
        slot_write(slot, start, size, state);
        break;
    }
}

void run_fill(struct world *world, struct slot *slot, const struct op *op)
{
    size_t start, size;
    int value = op->how % 3 == 0 ? 0 : (int)(op->how >> 8 & 255);
    void *got;

    slot_pick_range(slot, op, &start, &size);
    errno = 12345;
    got = slot->block + start;
    if (op->how % 9 == 0 && value == 0)
        bzero(got, size);
    else if (op->how % 2)
        got = memset(got, value, size);
    else
        got = __memset_chk(got, value, size, size);
    if (errno != 12345 || got != slot->block + start)
        fail(world, "memset of %zu bytes: errno %d, returned %p for %p", size, errno, got, (void *)(slot->block + start));
    oracle_fill(slot->picture + start, (unsigned char)value, size);
    slot_check(world, slot, op->seed, "fill");
}

static size_t page_up(size_t x)
{
    return (x + PAGE - 1) & ~(PAGE - 1);
}

/* MADV_FREE may or may not drop; a write to each page settles it. */
static void settle(struct world *world, struct slot *slot, size_t start, size_t end)
{
    for (size_t page = start; page < end; page += PAGE) {
        slot_write(slot, page, 8, page);
        if (oracle_differ(slot->block + page, slot->picture + page, PAGE) < PAGE) {
            oracle_fill(slot->picture + page + 8, 0, PAGE - 8);
            slot_compare(world, slot, page, PAGE, "MADV_FREE: neither zero nor as before");
        }
    }
}

void run_madvise(struct world *world, struct slot *slot, const struct op *op)
{
    static const int advices[] = {MADV_DONTNEED, MADV_DONTNEED,   MADV_DONTNEED, MADV_FREE,
                                  MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_WILLNEED, MADV_COLD};
    int advice = advices[op->how % 8];
    size_t pages = slot->size / PAGE;
    size_t start, size, end;
    bool unaligned = op->x % 8 == 0;
    int error;

    /* The whole pages of the block only, in memory that begins on a page: what else is there is the allocator's. */
    if (((uintptr_t)slot->block & (PAGE - 1)) != 0 || pages < 2)
        return;
    start = op->y % pages * PAGE;
    size = 1 + op->z % (pages * PAGE - start);
    if (op->x % 3 == 0)
        size = page_up(size);
    end = start + page_up(size);
    error = madvise(slot->block + start + unaligned, size, advice);
    if (!unaligned && error == 0 && advice == MADV_DONTNEED)
        oracle_fill(slot->picture + start, 0, end - start);
    if (!unaligned && error == 0 && advice == MADV_FREE)
        settle(world, slot, start, end);
    if (unaligned && error == 0)
        fail(world, "madvise of an unaligned address succeeded");
    if (!unaligned && error != 0 && (advice == MADV_DONTNEED || advice == MADV_FREE) && errno != EINVAL) /* EINVAL: locked */
        fail(world, "madvise %d: %s", advice, strerror(errno));
    slot_check(world, slot, op->seed, unaligned ? "unaligned madvise" : error != 0 ? "failed madvise" : "madvise");
}

/* The kernel writes into the block, and reads from it. */
void run_syscall(struct world *world, struct slot *slot, const struct op *op)
{
    long fd = syscall(SYS_memfd_create, "model", 1);
    size_t start, size;
    unsigned char *scratch;

    slot_pick_range(slot, op, &start, &size);
    scratch = oracle_map(size);
    if (fd < 0 || scratch == NULL)
        fail(world, "no file for the model");
    if (op->how % 2) {
        for (size_t i = 0; i < size; i += 8)
            scratch[i] = (unsigned char)(op->seed >> i % 32);
        if (syscall(SYS_pwrite64, fd, scratch, size, 0L) != (long)size || pread((int)fd, slot->block + start, size, 0) != (ssize_t)size)
            fail(world, "read() of %zu bytes into a block: %s", size, strerror(errno));
        oracle_move(slot->picture + start, scratch, size);
    } else {
        if (pwrite((int)fd, slot->block + start, size, 0) != (ssize_t)size || syscall(SYS_pread64, fd, scratch, size, 0L) != (long)size)
            fail(world, "write() of %zu bytes from a block: %s", size, strerror(errno));
        if (oracle_differ(scratch, slot->picture + start, size) < size)
            fail(world, "write() of %zu bytes from a block wrote something else", size);
    }
    syscall(SYS_close, fd);
    oracle_unmap(scratch, size);
    slot_check(world, slot, op->seed, "system call");
}

/* Read-only memory can be copied from; made writable, it can be copied to. */
void run_protect(struct world *world, struct slot *slot, struct slot *other, const struct op *op)
{
    size_t pages = slot->size / PAGE;
    size_t start, size;

    if (((uintptr_t)slot->block & (PAGE - 1)) != 0 || pages < 2 || slot == other)
        return;
    start = op->y % pages * PAGE;
    size = (1 + op->z % (pages - start / PAGE)) * PAGE;
    if (op->how % 2) {
        start = 0;
        size = pages * PAGE;
    }
    if (mprotect(slot->block + start, size, PROT_READ) != 0)
        fail(world, "mprotect: %s", strerror(errno));
    if (other->block != NULL)
        run_copy(world, other, slot, op);
    if (mprotect(slot->block + start, size, PROT_READ | PROT_WRITE) != 0)
        fail(world, "mprotect back: %s", strerror(errno));
    if (other->block != NULL)
        run_copy(world, slot, other, op);
}

void run_lock(struct world *world, struct slot *slot, struct slot *other, const struct op *op)
{
    if (mlock(slot->block, slot->size) != 0)
        return;
    if (other->block != NULL)
        run_copy(world, other, slot, op);
    munlock(slot->block, slot->size);
}

/* The program maps something of its own over a part of a block, for a while. */
void run_remap(struct world *world, struct slot *slot, struct slot *other, const struct op *op)
{
    size_t pages = slot->size / PAGE;
    size_t start, size;
    long fd = -1;

    if (((uintptr_t)slot->block & (PAGE - 1)) != 0 || pages < 2)
        return;
    start = op->y % pages * PAGE;
    size = (1 + op->z % (pages - start / PAGE)) * PAGE;
    if (op->how % 2) {
        fd = syscall(SYS_memfd_create, "model", 1);
        syscall(SYS_ftruncate, fd, size);
        syscall(SYS_pwrite64, fd, "program's own", 13L, 100L);
    }
    if (mmap(slot->block + start, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), (int)fd, 0) ==
        MAP_FAILED)
        fail(world, "mmap: %s", strerror(errno));
    oracle_fill(slot->picture + start, 0, size);
    if (fd >= 0)
        oracle_move(slot->picture + start + 100, (const unsigned char *)"program's own", 13);
    slot_check(world, slot, op->seed, "mmap over");
    if (other->block != NULL && other != slot)
        run_copy(world, other, slot, op);
    if (op->seed % 3 == 0)
        run_fill(world, slot, op);
    if (fd < 0)
        return;
    if (mmap(slot->block + start, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        fail(world, "mmap back: %s", strerror(errno));
    syscall(SYS_close, fd);
    oracle_fill(slot->picture + start, 0, size);
}
