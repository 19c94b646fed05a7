/* SPDX-License-Identifier: MIT */
#include "base/gate.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/page.h"
#include "base/sys.h"
#include "base/thread.h"

#include "base/poison.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

THREAD_LOCAL struct thread thread_self;

static _Atomic int active;  /* operations under way */
static _Atomic int closed;  /* a fork is under way, or waits */
static _Atomic int waiting; /* those who found it closed */

static _Atomic int always_marked = 1;
_Atomic int *_Atomic gate_mark = &always_marked;
static void (*orphan_handler)(void);

/* If the wait fails it merely ends too early; every caller checks its condition again. */
static void wait_while(_Atomic int *word, int value)
{
    SYS_MUST(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake_all(_Atomic int *word)
{
    SYS_MUST(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

int gate_init(void (*on_orphan)(void))
{
    long page = SYS(SYS_mmap, NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long error;

    orphan_handler = on_orphan;
    if (page < 0)
        return (int)page;
    error = SYS(SYS_madvise, page, page_size, MADV_WIPEONFORK);
    if (error != 0) {
        SYS_MUST(SYS_munmap, page, page_size);
        return (int)error;
    }
    atomic_store((_Atomic int *)page, 1); /* first: other threads may be here already */
    atomic_store(&gate_mark, (_Atomic int *)page);
    return 0;
}

/* Only the forking thread exists in the child. If no thread was inside of us when it was forked, all that it inherited is consistent. */
static bool adopt_child(void)
{
    if (atomic_load(&active) != 0 || atomic_load(&closed) != 0)
        return false;
    atomic_store(gate_mark, 1);
    thread_self.inside = true;
    if (orphan_handler != NULL)
        orphan_handler();
    thread_self.inside = false;
    return true;
}

bool gate_marked(void)
{
    return atomic_load(&gate_mark) != &always_marked;
}

static void wait_until_open(void)
{
    atomic_fetch_add(&waiting, 1);
    wait_while(&closed, 1);
    atomic_fetch_sub(&waiting, 1);
}

static bool pass(void)
{
    for (;;) {
        while (atomic_load(&closed) != 0)
            wait_until_open();
        atomic_fetch_add(&active, 1);
        if (atomic_load(&closed) == 0)
            return true;
        if (atomic_fetch_sub(&active, 1) == 1)
            wake_all(&active);
    }
}

bool gate_enter(void)
{
    int saved = errno;
    bool entered;

    if (thread_self.inside)
        return false;
    if (gate_orphaned() && !adopt_child())
        return false;
    /* Set before the counter moves: a signal handler in between must not enter as well. */
    thread_self.inside = true;
    thread_self.checked = 0;
    entered = thread_self.owns_gate || pass();
    errno = saved;
    return entered;
}

bool gate_enter_now(void)
{
    if (thread_self.inside || thread_self.owns_gate || gate_orphaned())
        return false;
    thread_self.inside = true;
    thread_self.checked = 0;
    atomic_fetch_add(&active, 1);
    if (atomic_load(&closed) == 0)
        return true;
    gate_leave();
    return false;
}

void gate_leave(void)
{
    if (!thread_self.owns_gate && atomic_fetch_sub(&active, 1) == 1 && atomic_load(&closed) != 0)
        wake_all(&active);
    thread_self.inside = false;
}

bool gate_wanted(void)
{
    return atomic_load_explicit(&closed, memory_order_relaxed) != 0;
}

/* The thread counts as inside for all of this time, because a signal handler must not wait for the thread that it interrupts. */
static bool shut(void)
{
    int saved = errno;
    int open = 0;
    int busy;

    /* In a child that cannot be adopted the counters speak of threads that are not here: waiting for them would never end. */
    if (thread_self.inside || thread_self.owns_gate || (gate_orphaned() && !adopt_child()))
        return false;
    thread_self.inside = true;
    while (!atomic_compare_exchange_strong(&closed, &open, 1)) {
        wait_until_open();
        open = 0;
    }
    while ((busy = atomic_load(&active)) != 0)
        wait_while(&active, busy);
    errno = saved;
    return true;
}

bool gate_close(void)
{
    if (!shut())
        return false;
    thread_self.owns_gate = true;
    thread_self.inside = false;
    return true;
}

bool gate_is_mine(void)
{
    return thread_self.owns_gate;
}

bool gate_pause(void)
{
    return shut();
}

void gate_open(void)
{
    thread_self.inside = true;
    thread_self.owns_gate = false;
    atomic_store(&closed, 0);
    if (atomic_load(&waiting) != 0) /* no system call where nobody waits: the program may have shut itself in */
        wake_all(&closed);
    thread_self.inside = false;
}

void gate_open_in_child(void)
{
    atomic_store(gate_mark, 1);
    thread_self.owns_gate = false;
    atomic_store(&active, 0);
    atomic_store(&waiting, 0);
    atomic_store(&closed, 0);
}
