/* SPDX-License-Identifier: MIT */
/* Every call that copies. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

#include "cowshim.h"
#include "operation.h"
#include "oracle.h"
#include "slot.h"

void *__memcpy_chk(void *, const void *, size_t, size_t);
void *__memmove_chk(void *, const void *, size_t, size_t);
void *__mempcpy_chk(void *, const void *, size_t, size_t);
wchar_t *__wmemcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wmemmove_chk(wchar_t *, const wchar_t *, size_t, size_t);
wchar_t *__wmempcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);

_Atomic unsigned long copies_made;

static bool counts_wide(unsigned how)
{
    return how % 14 >= 8;
}

/* Each returns what the call returned; *want becomes what it must return. */
static void *copy_bytes(unsigned how, unsigned char *to, const unsigned char *from, size_t size, void **want)
{
    switch (how % 14) {
    case 0:
    case 1:
        return memcpy(to, from, size);
    case 2:
        return memmove(to, from, size);
    case 3:
        *want = to + size;
        return mempcpy(to, from, size);
    case 4:
        bcopy(from, to, size);
        return to;
    case 5:
        return __memcpy_chk(to, from, size, size);
    case 6:
        return __memmove_chk(to, from, size, size + 1);
    default:
        *want = to + size;
        return __mempcpy_chk(to, from, size, (size_t)-1);
    }
}

static void *copy_wide(unsigned how, wchar_t *to, const wchar_t *from, size_t count, void **want)
{
    switch (how % 14) {
    case 8:
        return wmemcpy(to, from, count);
    case 9:
        return wmemmove(to, from, count);
    case 10:
        *want = to + count;
        return wmempcpy(to, from, count);
    case 11:
        return __wmemcpy_chk(to, from, count, count);
    case 12:
        return __wmemmove_chk(to, from, count, count);
    default:
        *want = to + count;
        return __wmempcpy_chk(to, from, count, count);
    }
}

static void call_copy(struct world *world, unsigned how, unsigned char *to, const unsigned char *from, size_t size)
{
    void *want = to;
    void *got;
    int saved;

    errno = 12345;
    if (counts_wide(how))
        got = copy_wide(how, (wchar_t *)(void *)to, (const wchar_t *)(const void *)from, size / sizeof(wchar_t), &want);
    else
        got = copy_bytes(how, to, from, size, &want);
    saved = errno;
    if (saved != 12345)
        fail(world, "copy call %u of %zu bytes set errno to %d", how % 14, size, saved);
    if (got != want)
        fail(world, "copy call %u of %zu bytes returned %p for %p", how % 14, size, got, want);
    if (size >= limits.unit)
        copies_made++;
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

void run_copy(struct world *world, struct slot *to, const struct slot *from, const struct op *op)
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
    slot_check(world, to, op->seed >> 8, "target of a copy");
    slot_check(world, from, op->seed >> 10, "source of a copy");
}

void run_overlap(struct world *world, struct slot *slot, const struct op *op)
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
    slot_check(world, slot, op->seed, "overlapping move");
}

/* Some of a block is made equal by loops that the shim does not see, and the two are merged: either may be the first. */
void run_merge(struct world *world, struct slot *slot, const struct slot *like, const struct op *op)
{
    size_t d, s;
    size_t size = pick_copy(slot, like, op, &d, &s);
    size_t hole = (1 + op->how % 8) * PAGE; /* left unequal in between */
    ssize_t merged;

    if (size < 2 * PAGE)
        return;
    for (size_t at = 0; at < size; at += 40 * PAGE + hole) {
        size_t part = size - at < 40 * PAGE ? size - at : 40 * PAGE;

        oracle_move(slot->block + d + at, like->block + s + at, part);
        oracle_move(slot->picture + d + at, like->picture + s + at, part);
    }
    errno = 12345;
    if (op->how % 2)
        merged = cowshim_merge(slot->block + d, like->block + s, size, op->how / 2 % 2);
    else
        merged = cowshim_merge(like->block + s, slot->block + d, size, op->how / 2 % 2);
    if (merged > (ssize_t)size || (merged >= 0 && errno != 12345))
        fail(world, "a merge of %zu bytes returned %zd, errno %d", size, merged, errno);
    slot_check(world, slot, op->seed >> 8, "merged");
    slot_check(world, like, op->seed >> 10, "merged with");
}
