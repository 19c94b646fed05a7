/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <wchar.h>

#include "oracle.h"

void *__memcpy_chk(void *, const void *, size_t, size_t);
void *__memmove_chk(void *, const void *, size_t, size_t);
void *__mempcpy_chk(void *, const void *, size_t, size_t);
void *__memset_chk(void *, int, size_t, size_t);
wchar_t *__wmemcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wmemmove_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wmempcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);

struct limits limits = {8192, (size_t)2 << 20, 1};
_Atomic unsigned long views_seen, copies_made, operations;

static struct slot sources[SOURCES];

static const char *const names[OP_KINDS] = {"alloc", "free", "realloc", "copy", "self", "overlap", "write", "fill", "madvise",
                                            "syscall", "usable", "protect", "lock", "remap", "fork", "verify"};

const char *op_name(unsigned kind)
{
    return kind < OP_KINDS ? names[kind] : "?";
}

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

/* How often each kind comes, of 256. */
static const unsigned char shares[OP_KINDS] = {
    [OP_ALLOC] = 30, [OP_FREE] = 12, [OP_REALLOC] = 14, [OP_COPY] = 78, [OP_SELF] = 10, [OP_OVERLAP] = 4, [OP_WRITE] = 52,
    [OP_FILL] = 16, [OP_MADVISE] = 8, [OP_SYSCALL] = 10, [OP_USABLE] = 2, [OP_PROTECT] = 2, [OP_LOCK] = 1, [OP_REMAP] = 2,
    [OP_FORK] = 5, [OP_VERIFY] = 10,
};

struct op op_random(uint64_t *state, unsigned thread)
{
    struct op op = {.thread = thread};
    unsigned pick = (unsigned)(oracle_random(state) % 256);

    while (op.kind < OP_VERIFY && pick >= shares[op.kind])
        pick -= shares[op.kind++];
    op.a = (unsigned)(oracle_random(state) % SLOTS);
    op.b = (unsigned)(oracle_random(state) % (SLOTS + (oracle_random(state) % 4 == 0 ? SOURCES : 0)));
    op.how = (unsigned)(oracle_random(state) >> 40);
    op.x = oracle_random(state) >> 16;
    op.y = oracle_random(state) >> 16;
    op.z = oracle_random(state) >> 16;
    op.seed = oracle_random(state) >> 16;
    return op;
}

/* Blocks of all sizes around the unit; some beyond, some below, odd ones. */
static size_t pick_size(uint64_t x, uint64_t y)
{
    size_t unit = limits.unit;
    size_t size;

    switch (x % 16) {
    case 0:
        size = 1 + y % unit;
        break;
    case 1:
    case 2:
        size = unit + y % (128 * unit);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        size = unit + y % (32 * unit);
        break;
    case 7:
        size = unit + y % limits.largest;
        break;
    default:
        size = unit + y % (8 * unit);
        break;
    }
    if ((x >> 8) % 2 == 0)
        size = (size + PAGE - 1) & ~(PAGE - 1);
    return size > limits.largest ? unit + size % (limits.largest - unit) : size;
}

/* ---- slots ---- */

static void picture_room(struct world *world, struct slot *slot, size_t size)
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

static void compare(struct world *world, const struct slot *slot, size_t start, size_t size, const char *what)
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

/* Some bytes, or all. Reading a hole changes its state: mostly only some. */
static void check_slot(struct world *world, const struct slot *slot, uint64_t seed, const char *what)
{
    if (slot->block == NULL || slot->size == 0)
        return;
    if (seed % 4 == 0) {
        compare(world, slot, 0, slot->size, what);
        return;
    }
    compare(world, slot, 0, 1, what);
    compare(world, slot, slot->size - 1, 1, what);
    for (int i = 0; i < 12; i++)
        compare(world, slot, oracle_random(&seed) % slot->size, 1, what);
}

/* Whether a file is mapped in the block: only the shim does that (but for OP_REMAP, which undoes it). */
static void look_for_views(const struct slot *slot)
{
    static char text[1 << 20];
    static _Atomic int busy;
    int free_one = 0;
    long fd, got;
    size_t used = 0;

    if (slot->block == NULL || slot->size < limits.unit || !__atomic_compare_exchange_n((int *)&busy, &free_one, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && used < sizeof text - 1 && (got = syscall(SYS_read, fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    if (fd >= 0)
        syscall(SYS_close, fd);
    text[used] = '\0';
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n') == NULL ? NULL : strchr(line, '\n') + 1) {
        unsigned long start, end, inode = 0;

        if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &start, &end, &inode) == 3 && inode != 0 && start < (unsigned long)slot->block + slot->size &&
            end > (unsigned long)slot->block) {
            views_seen++;
            break;
        }
    }
    __atomic_store_n((int *)&busy, 0, __ATOMIC_SEQ_CST);
}

void world_verify(struct world *world)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (world->slot[i].block != NULL)
            compare(world, &world->slot[i], 0, world->slot[i].size, "verify");
    for (unsigned i = 0; i < SOURCES; i++)
        if (sources[i].block != NULL)
            compare(world, &sources[i], 0, sources[i].size, "verify of a shared source");
}

static void write_words(struct slot *slot, size_t start, size_t size, uint64_t seed)
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

/* A range of a slot: whole pages, or any; long ones are frequent. */
static void pick_range(const struct slot *slot, const struct op *op, size_t *start, size_t *size)
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

/* ---- operations ---- */

static void run_free(struct world *world, struct slot *slot)
{
    (void)world;
    free(slot->block);
    slot->block = NULL;
    slot->size = 0;
}

/* What a fresh block holds is whatever it holds. */
static void take_over(struct slot *slot, size_t start, size_t end)
{
    if (start < end)
        oracle_move(slot->picture + start, slot->block + start, end - start);
}

static void run_alloc(struct world *world, struct slot *slot, const struct op *op)
{
    size_t size = pick_size(op->x, op->y);
    size_t alignment = (size_t)16 << op->z % 12;
    void *got = NULL;
    bool zero = false;

    if (slot->block != NULL) {
        check_slot(world, slot, op->seed, "before free");
        run_free(world, slot);
    }
    switch (op->how % 11) {
    case 0:
    case 1:
        got = malloc(size);
        alignment = 16;
        break;
    case 2:
    case 3:
    case 4:
        got = calloc(1 + op->z % 3, (size + op->z % 3) / (1 + op->z % 3));
        alignment = 16;
        zero = true;
        break;
    case 5:
        if (posix_memalign(&got, alignment, size) != 0)
            got = NULL;
        break;
    case 6:
        got = aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
        break;
    case 7:
        got = memalign(alignment, size);
        break;
    case 8:
        got = valloc(size);
        alignment = PAGE;
        break;
    case 9:
        got = pvalloc(size);
        alignment = PAGE;
        break;
    default:
        got = op->z % 2 ? realloc(NULL, size) : reallocarray(NULL, 1, size);
        alignment = 16;
        break;
    }
    if (got == NULL)
        fail(world, "allocation %u of %zu bytes failed", op->how % 11, size);
    if (((uintptr_t)got & (alignment - 1)) != 0)
        fail(world, "allocation %u of %zu bytes: %p is not aligned to %zu", op->how % 11, size, got, alignment);
    picture_room(world, slot, size);
    slot->block = got;
    slot->size = size;
    if (zero) {
        oracle_fill(slot->picture, 0, size);
        check_slot(world, slot, op->seed >> 8, "calloc");
    } else if (op->seed % 2 == 0) {
        write_words(slot, 0, size, op->seed);
    } else {
        take_over(slot, 0, size);
    }
}

static void run_realloc(struct world *world, struct slot *slot, const struct op *op)
{
    size_t size = pick_size(op->x, op->y);
    size_t old = slot->size;
    unsigned char *got;

    if (op->z % 4 == 0) /* often a little more or less */
        size = old + op->y % (2 * PAGE) > PAGE ? old + op->y % (2 * PAGE) - PAGE : 1;
    if (op->z % 4 == 1)
        size = 1 + op->y % old;
    picture_room(world, slot, size > old ? size : old);
    got = op->how % 2 ? realloc(slot->block, size) : reallocarray(slot->block, size, 1);
    if (got == NULL)
        fail(world, "realloc of %zu to %zu bytes failed", old, size);
    slot->block = got;
    slot->size = old < size ? old : size;
    check_slot(world, slot, op->seed, "after realloc");
    slot->size = size;
    take_over(slot, old, size);
    if (size > old && op->seed % 3 == 0)
        write_words(slot, old, size - old, op->seed);
}

static void call_copy(struct world *world, unsigned how, unsigned char *to, const unsigned char *from, size_t size)
{
    void *got = NULL;
    void *want = to;
    int saved;

    errno = 12345;
    switch (how % 14) {
    case 0:
    case 1:
        got = memcpy(to, from, size);
        break;
    case 2:
        got = memmove(to, from, size);
        break;
    case 3:
        got = mempcpy(to, from, size);
        want = to + size;
        break;
    case 4:
        bcopy(from, to, size);
        got = to;
        break;
    case 5:
        got = __memcpy_chk(to, from, size, size);
        break;
    case 6:
        got = __memmove_chk(to, from, size, size + 1);
        break;
    case 7:
        got = __mempcpy_chk(to, from, size, (size_t)-1);
        want = to + size;
        break;
    case 8:
        got = wmemcpy((wchar_t *)(void *)to, (const wchar_t *)(const void *)from, size / 4);
        break;
    case 9:
        got = wmemmove((wchar_t *)(void *)to, (const wchar_t *)(const void *)from, size / 4);
        break;
    case 10:
        got = wmempcpy((wchar_t *)(void *)to, (const wchar_t *)(const void *)from, size / 4);
        want = to + size;
        break;
    case 11:
        got = __wmemcpy_chk((wchar_t *)(void *)to, (const wchar_t *)(const void *)from, size / 4, size / 4);
        break;
    case 12:
        got = __wmemmove_chk((wchar_t *)(void *)to, (const wchar_t *)(const void *)from, size / 4, size / 4);
        break;
    default:
        got = __wmempcpy_chk((wchar_t *)(void *)to, (const wchar_t *)(const void *)from, size / 4, size / 4);
        want = to + size;
        break;
    }
    saved = errno;
    if (saved != 12345)
        fail(world, "copy call %u of %zu bytes set errno to %d", how % 14, size, saved);
    if (got != want)
        fail(world, "copy call %u of %zu bytes returned %p for %p", how % 14, size, got, want);
    if (size >= limits.unit)
        copies_made++;
}

static bool counts_wide(unsigned how)
{
    return how % 14 >= 8;
}

/* Where a copy goes: most often congruent modulo the page size, for only those can be shared. */
static size_t pick_copy(const struct slot *to, const struct slot *from, const struct op *op, size_t *d, size_t *s)
{
    size_t longest;
    bool whole = op->seed % 2 == 0;

    *s = op->x % from->size;
    *d = op->y % to->size;
    switch (op->seed / 2 % 8) {
    case 0:
    case 1:
        *s = *d = 0;
        break;
    case 2:
    case 3:
    case 4: /* congruent */
        *d = (*d & ~(PAGE - 1)) + (((uintptr_t)from->block + *s - (uintptr_t)to->block) & (PAGE - 1));
        break;
    case 5: /* near the start, congruent */
        *s %= from->size < 3 * PAGE ? from->size : 3 * PAGE;
        *d = (*d % (3 * PAGE) & ~(PAGE - 1)) + (((uintptr_t)from->block + *s - (uintptr_t)to->block) & (PAGE - 1));
        break;
    case 6:
        *s &= ~(PAGE - 1);
        *d &= ~(PAGE - 1);
        break;
    default:
        break;
    }
    if (*d >= to->size)
        return 0;
    longest = to->size - *d < from->size - *s ? to->size - *d : from->size - *s;
    return whole ? longest : 1 + op->z % longest;
}

static void run_copy(struct world *world, struct slot *to, const struct slot *from, const struct op *op)
{
    size_t d, s;
    size_t size = pick_copy(to, from, op, &d, &s);
    unsigned how = op->how;

    if (counts_wide(how)) {
        if ((((uintptr_t)to->block + d) | ((uintptr_t)from->block + s)) % 4 != 0)
            how = 0;
        else
            size &= ~(size_t)3;
    }
    if (size == 0)
        return;
    if (to == from) {
        size_t gap = d > s ? d - s : s - d;

        if (size > gap) {
            if (gap == 0 || op->how % 3 == 0)
                how = op->how % 2 ? 2 : 4; /* overlapping is allowed for these */
            else
                size = counts_wide(how) ? gap & ~(size_t)3 : gap;
        }
    }
    call_copy(world, how, to->block + d, from->block + s, size);
    oracle_move(to->picture + d, from->picture + s, size);
    check_slot(world, to, op->seed >> 8, "target of a copy");
    check_slot(world, from, op->seed >> 10, "source of a copy");
}

static void run_overlap(struct world *world, struct slot *slot, const struct op *op)
{
    size_t shift = op->x % 2 ? PAGE * (1 + op->y % 4) : 1 + op->y % (2 * PAGE);
    size_t size;

    if (shift >= slot->size)
        return;
    size = slot->size - shift;
    if (op->z % 2) {
        call_copy(world, op->how % 2 ? 2 : 6, slot->block + shift, slot->block, size);
        oracle_move(slot->picture + shift, slot->picture, size);
    } else {
        call_copy(world, op->how % 2 ? 4 : 2, slot->block, slot->block + shift, size);
        oracle_move(slot->picture, slot->picture + shift, size);
    }
    check_slot(world, slot, op->seed, "overlapping move");
}

static void run_write(struct world *world, struct slot *slot, const struct op *op)
{
    uint64_t state = op->seed;
    size_t start, size;

    (void)world;
    switch (op->how % 6) {
    case 0: /* one byte */
        write_words(slot, op->y % slot->size, 1, state);
        break;
    case 1: /* some bytes here and there */
        for (unsigned n = 1 + op->z % 40; n > 0; n--)
            write_words(slot, oracle_random(&state) % slot->size, 1, state);
        break;
    case 2: /* every n-th page */
        for (size_t at = op->y % PAGE; at < slot->size; at += PAGE * (2 + op->z % 40))
            write_words(slot, at, 1, state);
        break;
    case 3: /* all */
        write_words(slot, 0, slot->size, state);
        break;
    default:
        pick_range(slot, op, &start, &size);
        write_words(slot, start, size, state);
        break;
    }
}

static void run_fill(struct world *world, struct slot *slot, const struct op *op)
{
    size_t start, size;
    int value = op->how % 3 == 0 ? 0 : (int)(op->how >> 8 & 255);
    void *got;

    pick_range(slot, op, &start, &size);
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
    check_slot(world, slot, op->seed, "fill");
}

static size_t page_up(size_t x)
{
    return (x + PAGE - 1) & ~(PAGE - 1);
}

/* MADV_FREE may or may not drop; a write to each page settles it. */
static void settle(struct world *world, struct slot *slot, size_t start, size_t end)
{
    for (size_t page = start; page < end; page += PAGE) {
        write_words(slot, page, 8, page);
        if (oracle_differ(slot->block + page, slot->picture + page, PAGE) < PAGE) {
            oracle_fill(slot->picture + page + 8, 0, PAGE - 8);
            compare(world, slot, page, PAGE, "MADV_FREE: neither zero nor as before");
        }
    }
}

static void run_madvise(struct world *world, struct slot *slot, const struct op *op)
{
    static const int advices[] = {MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_WILLNEED, MADV_COLD};
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
    check_slot(world, slot, op->seed, unaligned ? "unaligned madvise" : error != 0 ? "failed madvise" : "madvise");
}

/* The kernel writes into the block, and reads from it. */
static void run_syscall(struct world *world, struct slot *slot, const struct op *op)
{
    long fd = syscall(SYS_memfd_create, "model", 1);
    size_t start, size;
    unsigned char *scratch;

    pick_range(slot, op, &start, &size);
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
    check_slot(world, slot, op->seed, "system call");
}

static void run_usable(struct world *world, struct slot *slot)
{
    size_t usable = malloc_usable_size(slot->block);
    size_t old = slot->size;

    if (usable < slot->size)
        fail(world, "malloc_usable_size says %zu for %zu bytes", usable, slot->size);
    picture_room(world, slot, usable);
    slot->size = usable;
    take_over(slot, old, usable);
    write_words(slot, old, usable - old, usable);
}

/* Read-only memory can be copied from; made writable, it can be copied to. */
static void run_protect(struct world *world, struct slot *slot, struct slot *other, const struct op *op)
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

static void run_lock(struct world *world, struct slot *slot, struct slot *other, const struct op *op)
{
    if (mlock(slot->block, slot->size) != 0)
        return;
    if (other->block != NULL)
        run_copy(world, other, slot, op);
    munlock(slot->block, slot->size);
}

/* The program maps something of its own over a part of a block, for a while. */
static void run_remap(struct world *world, struct slot *slot, struct slot *other, const struct op *op)
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
    if (mmap(slot->block + start, size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), (int)fd, 0) == MAP_FAILED)
        fail(world, "mmap: %s", strerror(errno));
    oracle_fill(slot->picture + start, 0, size);
    if (fd >= 0)
        oracle_move(slot->picture + start + 100, (const unsigned char *)"program's own", 13);
    check_slot(world, slot, op->seed, "mmap over");
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

static void reap(struct world *world, int i)
{
    int status = 0;

    if (world->children[i] == 0)
        return;
    while (waitpid(world->children[i], &status, __WALL) < 0)
        if (errno != EINTR)
            fail(world, "waitpid: %s", strerror(errno));
    if (status != 0)
        fail(world, "child of the operation above ended with status 0x%x", status);
    world->children[i] = 0;
}

static void live_in_child(struct world *world, const struct op *op, bool careful)
{
    uint64_t state = op->seed;

    for (int i = 0; i < 4; i++)
        world->children[i] = 0;
    world->depth++;
    world->careful = world->careful || careful;
    for (unsigned n = op->x % 12; n > 0; n--) {
        struct op next = op_random(&state, world->thread);

        op_run(world, &next);
    }
    world_verify(world);
    for (int i = 0; i < 4; i++)
        reap(world, i);
    _exit(0);
}

/* In a vfork child our memory and the parent's are one: what is done here is done there. */
static void live_in_vfork(struct world *world, const struct op *op)
{
    uint64_t state = op->seed;

    for (unsigned n = op->x % 5; n > 0; n--) {
        struct op next = op_random(&state, world->thread);

        if (next.kind >= OP_COPY && next.kind <= OP_SYSCALL && world->slot[next.a].block != NULL)
            op_run(world, &next);
    }
    _exit(0);
}

/* A fork that nothing stands in front of. */
static pid_t clone_by_instruction(void)
{
#ifdef __x86_64__
    register long parent __asm__("rdx") = 0;
    register long child __asm__("r10") = 0;
    register long tls __asm__("r8") = 0;
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "a"((long)SYS_clone), "D"((long)SIGCHLD), "S"(0L), "r"(parent), "r"(child), "r"(tls) : "rcx", "r11", "memory");
    return (pid_t)result;
#else
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

static pid_t fork_by(unsigned how)
{
    switch (how) {
    case 2:
        return _Fork();
    case 3:
        return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    case 4:
        return clone_by_instruction();
    default:
        return fork();
    }
}

#define VFORK 5

static void run_fork(struct world *world, const struct op *op)
{
    int i = (int)(op->y % 4);
    volatile unsigned how = op->how % 6; /* volatile: kept over vfork */
    pid_t pid;

    if (world->depth >= 2)
        return;
    if (world->careful && how < 2)
        how += 2; /* fork() takes the allocator's locks */
    reap(world, i);
    pid = how == VFORK ? vfork() : fork_by(how);
    if (pid < 0)
        fail(world, "fork %u: %s", how, strerror(errno));
    if (pid == 0 && how == VFORK)
        live_in_vfork(world, op);
    if (pid == 0)
        live_in_child(world, op, limits.threads > 1 && how >= 2);
    world->children[i] = pid;
    if (how == VFORK)
        reap(world, i);
}

/* What needs locks of the program's allocator, which another thread may have held when a raw clone was made. */
static bool needs_locks(unsigned kind)
{
    return kind == OP_ALLOC || kind == OP_FREE || kind == OP_REALLOC;
}

void op_run(struct world *world, const struct op *op)
{
    struct slot *slot = &world->slot[op->a];
    const struct slot *from = op->b < SLOTS ? &world->slot[op->b] : &sources[op->b - SLOTS];

    operations++;
    if (world->careful && needs_locks(op->kind))
        return;
    if (op->kind == OP_FORK) {
        run_fork(world, op);
        return;
    }
    if (op->kind == OP_VERIFY) {
        if (op->seed % 4 == 0)
            world_verify(world);
        else
            look_for_views(slot);
        return;
    }
    if (op->kind == OP_ALLOC || slot->block == NULL) {
        if (!world->careful)
            run_alloc(world, slot, op);
        return;
    }
    switch (op->kind) {
    case OP_FREE:
        check_slot(world, slot, op->seed, "before free");
        run_free(world, slot);
        break;
    case OP_REALLOC:
        run_realloc(world, slot, op);
        break;
    case OP_COPY:
        if (from->block != NULL)
            run_copy(world, slot, from, op);
        break;
    case OP_SELF:
        run_copy(world, slot, slot, op);
        break;
    case OP_OVERLAP:
        run_overlap(world, slot, op);
        break;
    case OP_WRITE:
        run_write(world, slot, op);
        break;
    case OP_FILL:
        run_fill(world, slot, op);
        break;
    case OP_MADVISE:
        run_madvise(world, slot, op);
        break;
    case OP_SYSCALL:
        run_syscall(world, slot, op);
        break;
    case OP_USABLE:
        run_usable(world, slot);
        break;
    case OP_PROTECT:
        run_protect(world, slot, &world->slot[op->b % SLOTS], op);
        break;
    case OP_LOCK:
        run_lock(world, slot, &world->slot[op->b % SLOTS], op);
        break;
    default:
        run_remap(world, slot, &world->slot[op->b % SLOTS], op);
        break;
    }
}

void world_sources(uint64_t seed)
{
    struct world world = {.at = -1};

    for (unsigned i = 0; i < SOURCES; i++) {
        sources[i].size = limits.unit * (2 + 5 * i) + (i == 1 ? 123 : 0);
        picture_room(&world, &sources[i], sources[i].size);
        sources[i].block = calloc(1, sources[i].size);
        if (sources[i].block == NULL)
            fail(&world, "no memory");
        for (size_t at = 0; at < sources[i].size; at += PAGE * (1 + i))
            write_words(&sources[i], at, sources[i].size - at < PAGE ? sources[i].size - at : PAGE, seed + at);
    }
}

void world_finish(struct world *world)
{
    for (int i = 0; i < 4; i++)
        reap(world, i);
    world_verify(world);
    for (unsigned i = 0; i < SLOTS; i++)
        if (world->slot[i].block != NULL)
            run_free(world, &world->slot[i]);
}
