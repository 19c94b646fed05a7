/* SPDX-License-Identifier: MIT */
#include "operations.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "../model/oracle.h"
#include "base/config.h"
#include "base/next.h"
#include "base/page.h"
#include "engine/block/block.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "engine/store/extent.h"
#include "base/fault.h"
#include "base/sys.h"
#include "actors.h"
#include "slots.h"

#define MIN_SIZE "8K"
#define LONGEST_LIST 100 /* operations of one input, children's included */

static void (*at_end)(void);
static bool exact; /* nothing failed on purpose, and no memory was taken from below us: nothing may be left at the end */

static void copy(struct slot *to, size_t d, const struct slot *from, size_t s, size_t size)
{
    const void *caller = (const void *)(uintptr_t)(0x1000 + take() % 4);

    if (size < config_size(min_size) || !engine_copy(to->block + d, from->block + s, size, caller))
        oracle_move(to->block + d, from->block + s, size);
    oracle_move(to->picture + d, from->picture + s, size);
}

static void do_copy(struct slot *to, const struct slot *from)
{
    struct range source = take_range(from);
    size_t d = take_part(to->size / page_size) * page_size + source.start % page_size;

    if (take() % 16 == 0)
        d += 8; /* not congruent */
    if (d < to->size)
        copy(to, d, from, source.start, source.size < to->size - d ? source.size : to->size - d);
}

void copy_whole(struct slot *to, const struct slot *from)
{
    copy(to, 0, from, 0, to->size < from->size ? to->size : from->size);
}

static void do_merge(struct slot *to, const struct slot *from)
{
    size_t size = page_down(to->size < from->size ? to->size : from->size);
    size_t equal = take_part(size + 1);

    oracle_move(to->block, from->block, equal);
    oracle_move(to->picture, from->picture, equal);
    engine_merge(to->block, from->block, size, take() % 2);
}

static void do_fill(struct slot *slot)
{
    struct range range = take_range(slot);
    int value = take() % 2 == 0 ? 0 : 0xa5;

    if (range.size < config_size(min_size) || !engine_fill(slot->block + range.start, value, range.size))
        oracle_fill(slot->block + range.start, (unsigned char)value, range.size);
    oracle_fill(slot->picture + range.start, (unsigned char)value, range.size);
}

static void call(const struct slot *slot, struct range range, enum engine_memory_call what)
{
    if (!engine_memory_call(slot->block + range.start, range.size, what))
        fail("engine_memory_call %d was refused", (int)what);
}

void discard(struct slot *slot, struct range range)
{
    syscall(SYS_madvise, slot->block + range.start, range.size, MADV_DONTNEED);
    call(slot, range, MEMORY_ZERO);
    oracle_fill(slot->picture + range.start, 0, range.size);
}

/* Read-only for one copy from it. */
static void do_protect(struct slot *slot, struct slot *other)
{
    struct range range = take_pages(slot);

    call(slot, range, MEMORY_EXCLUDE);
    syscall(SYS_mprotect, slot->block + range.start, range.size, PROT_READ);
    if (other != slot)
        copy_whole(other, slot);
    syscall(SYS_mprotect, slot->block + range.start, range.size, PROT_READ | PROT_WRITE);
    call(slot, range, MEMORY_ADMIT);
}

/* The program maps something of its own over a part of a block. */
static void do_map_over(struct slot *slot)
{
    struct range range = take_pages(slot);

    exact = false;
    call(slot, range, MEMORY_GONE);
    syscall(SYS_mmap, slot->block + range.start, range.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    oracle_fill(slot->picture + range.start, 0, range.size);
}

static void do_advice(struct slot *slot)
{
    static const enum engine_memory_call calls[] = {MEMORY_FREE, MEMORY_KEEP, MEMORY_ADMIT, MEMORY_HUGE, MEMORY_EXCLUDE};
    enum engine_memory_call what = calls[take() % 5];
    struct range range = take() % 2 ? (struct range){0, slot->size} : take_pages(slot);

    call(slot, range, what);
    if (what == MEMORY_FREE)
        slot_learn(slot, range.start, range.start + range.size); /* the contents may go */
}

/* As realloc of a block with views that does not fit: another place, the pages moved there. */
static void do_move(struct slot *slot)
{
    size_t old = slot->size;
    struct slot fresh = {.size = old + take() % 8 * page_size};

    fresh.room = page_up(fresh.size);
    fresh.block = slot_map(fresh.room);
    fresh.picture = slot_map(fresh.room);
    oracle_move(fresh.picture, slot->picture, old);
    engine_add(fresh.block, fresh.size, fresh.block);
    engine_move(fresh.block, slot->block, old);
    slot_learn(slot, 0, old); /* unspecified, but not to be changed any more */
    slot_remove(slot);
    *slot = fresh;
    slot_compare(slot, 0, old, "after it was moved");
    slot_learn(slot, old, slot->size);
}

/* As realloc in place. */
static void do_resize(struct slot *slot)
{
    size_t size = config_size(min_size) + take_part(slot->room - config_size(min_size) + 1);
    size_t old = slot->size;
    struct engine_block block;

    if (!engine_look_up(slot->block, &block))
        return;
    if (block.size != old || block.raw != slot->block)
        fail("the block has %zu bytes, not %zu", block.size, old);
    (size < old ? engine_shrink : engine_set_size)(slot->block, size);
    slot->size = size;
    slot_learn(slot, old, size);
}

/* As realloc of a block without views, which the allocator moves. */
static void do_withdraw(struct slot *slot)
{
    struct block *block = engine_withdraw(slot->block);
    unsigned char *target;

    if (block == NULL)
        return;
    if (take() % 2 == 0) {
        target = slot_map(slot->room);
        if (syscall(SYS_mremap, slot->block, slot->room, slot->room, MREMAP_MAYMOVE | MREMAP_FIXED, target) != (long)target)
            fail("mremap");
        slot->block = target;
    }
    engine_return(block, slot->block, slot->size, slot->block);
}

static bool run_next(void);

static __attribute__((noreturn)) void end(void)
{
    fault_at(0, false);
    actors_end();
    slots_compare("at the end");
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].size != 0)
            slot_remove(&slots[i]);
    if (exact && (block_count() != 0 || extent_count() != 0))
        fail("%zu blocks and %zu views are left over", block_count(), extent_count());
    at_end();
    _exit(0);
}

/* The child takes the next operations, the parent those after them, at the same time. Mode 1: nobody announces the fork. */
static void do_fork(void)
{
    bool announced = take() % 4 != 0;
    unsigned share = 1 + take() % 8;
    bool at_once = take() % 2;
    int status = 0;
    long pid;

    if (depth >= 2)
        return;
    actor_deliver();
    if (announced)
        engine_fork_prepare();
    pid = syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
    if (pid < 0)
        fail("no child");
    if (pid == 0) {
        depth++;
        actors_after_fork();
        if (announced)
            engine_fork_child();
        while (share-- > 0 && run_next())
            ;
        end();
    }
    if (announced)
        engine_fork_parent();
    if (!at_once)
        run_next();
    if (waitpid((pid_t)pid, &status, 0) != pid || status != 0)
        fail("the child ended with status 0x%x", (unsigned)status);
}

static void do_fault(void)
{
    unsigned n = take();

    exact = false;
    fault_at(n % 128, n >= 128);
}

static void do_seldom(void)
{
    struct slot *slot;

    switch (take() % 8) {
    case 0:
        engine_stop_sharing(STOP_LOCKED, take() % 2);
        break;
    case 1:
        slot = take_block();
        do_merge(slot, take_block());
        break;
    default:
        slots_compare("in between");
        break;
    }
}

/* The last of 256 numbers. */
#define ACTORS 240

static void do_act(void)
{
    struct slot *slot = take_block();

    actor_act(slot, take_block());
}

static bool run_next(void)
{
    struct slot *slot;
    unsigned what;

    if (!input_left() || operations++ >= LONGEST_LIST)
        return false;
    what = take();
    switch (what < ACTORS ? what % 20 : 20) {
    case 0:
        actor_deliver();
        slot_add(take_slot());
        break;
    case 1:
        actor_deliver();
        slot_remove(take_block());
        break;
    case 2:
    case 3:
    case 4:
        slot = take_block();
        do_copy(slot, take_block());
        break;
    case 5:
    case 6:
        slot = take_block();
        copy_whole(slot, take_block());
        break;
    case 7:
        slot = take_block();
        slot_write(slot, take_range(slot), 1 + take() * 16, take());
        break;
    case 8:
        slot = take_block();
        slot_write(slot, (struct range){0, slot->size}, (1 + take() % 8) * page_size, take());
        break;
    case 9:
        do_fill(take_block());
        break;
    case 10:
        slot = take_block();
        discard(slot, take_pages(slot));
        break;
    case 11:
        slot = take_block();
        do_protect(slot, take_block());
        break;
    case 12:
        do_map_over(take_block());
        break;
    case 13:
        do_advice(take_block());
        break;
    case 14:
        actor_deliver();
        do_move(take_block());
        break;
    case 15:
        actor_deliver();
        do_resize(take_block());
        break;
    case 16:
        actor_deliver();
        do_withdraw(take_block());
        break;
    case 17:
        do_fork();
        break;
    case 18:
        do_fault();
        break;
    case 19:
        do_seldom();
        break;
    default:
        do_act();
        break;
    }
    return true;
}

/* What the kernel cannot do, and how eager the policy is. */
static void choose_machine(void)
{
    static const char *const internal[] = {
        "",
        "guard-always",
        "guard-always,uffd-off",
        "scan-off",
        "vma-off",
        "tmpfs-off",
        "scan-off,vma-off,tmpfs-off,guard-always,uffd-off",
        "memfd-off",
    };
    static const char *const policies[] = {"memory", "balanced", "speed", "memory"};

    setenv("COWSHIM_INTERNAL", internal[take() % 8], 1);
    setenv("COWSHIM_POLICY", policies[take() % 4], 1);
    setenv("COWSHIM_MIN_SIZE", MIN_SIZE, 1);
    setenv("COWSHIM_LOG", "error", 1);
}

void operations_run(const uint8_t *data, size_t size, void (*before_end)(void))
{
    input_set(data, size);
    at_end = before_end;
    exact = true;
    choose_machine();
    next_bind();
    page_init();
    config_read();
    engine_start();
    engine_wake();
    while (run_next())
        ;
    end();
}
