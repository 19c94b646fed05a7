/* SPDX-License-Identifier: MIT */
/* The guard without userfaultfd: the run becomes read-only, and a writer's SIGSEGV ends in our handler, which waits until the run
   is mapped over and lets the instruction run again. Every other SIGSEGV goes to the program's own handler.
   The handler is installed by a seal and taken out by the first event of ours two seconds after the last one: a fault that was
   taken before the run was replaced can be delivered after it, and must find us. Until then the shim's sigaction() shows the
   program its own handler. A thread that blocks SIGSEGV would be killed by the kernel: if there is one, we decline. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/bytes.h"
#include "base/gate.h"
#include "base/lock.h"
#include "base/next.h"
#include "base/sys.h"
#include "base/thread.h"
#include "kernel/descriptor.h"
#include "kernel/procfile.h"
#include "kernel/write_guard.h"

#include "base/poison.h"

#define HELD 64
#define REST_AFTER 2         /* s */
#define CLONES_PASS 20000000 /* ns */

static struct lock lock = LOCK_INITIALIZER(LOCK_KERNEL);
static _Atomic uintptr_t held_start[HELD], held_end[HELD]; /* end 0: free slot */
static _Atomic int generation;                             /* moves when a run is let go; the handler sleeps on it */
static unsigned guarded_runs;
static _Atomic bool installed;
static time_t last_let_go;
static struct sigaction program_action;

/* Where this thread's last fault outside of every held run was: a second one there is the program's own. */
static THREAD_LOCAL uintptr_t retried_address;
static THREAD_LOCAL int retried_generation;

static struct sigaction empty_action(void)
{
    struct sigaction action;

    bytes_fill(&action, 0, sizeof action);
    return action;
}

static time_t seconds_now(void)
{
    struct timespec now = {0, 0};

    SYS_MUST(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

static int held_slot(uintptr_t address)
{
    for (int i = 0; i < HELD; i++)
        if (address < atomic_load(&held_end[i]) && address >= atomic_load(&held_start[i]))
            return i;
    return -1;
}

static bool is_held(uintptr_t address)
{
    return held_slot(address) >= 0;
}

/* A child that was made without our knowledge in the middle of a seal: whoever held the run is not here, the pages still are. */
static bool lift_in_orphan(uintptr_t address)
{
    int slot = gate_orphaned() ? held_slot(address) : -1;
    uintptr_t start;

    if (slot < 0)
        return false;
    start = atomic_load(&held_start[slot]);
    SYS_MUST(SYS_mprotect, start, atomic_load(&held_end[slot]) - start, PROT_READ | PROT_WRITE);
    atomic_store(&held_end[slot], 0);
    return true;
}

/* True when the faulting instruction should simply run again. */
static bool wait_for_run(uintptr_t address)
{
    int now = atomic_load(&generation);
    bool waited = false;

    while (is_held(address)) {
        SYS_MUST(SYS_futex, &generation, FUTEX_WAIT_PRIVATE, now, 0, 0, 0);
        now = atomic_load(&generation);
        waited = true;
    }
    if (waited)
        return true;
    if (retried_address == address && retried_generation == now)
        return false;
    retried_address = address;
    retried_generation = now;
    return true;
}

/* Nobody handles it. A fault happens again and kills as it would have; a signal that was sent must be sent again. */
static void pass_to_default(int number, siginfo_t *info, bool ignored)
{
    struct sigaction fallback = empty_action();
    bool sent = info->si_code <= 0;

    if (sent && ignored)
        return;
    next.sigaction(number, &fallback, NULL);
    if (sent)
        SYS_MUST(SYS_rt_tgsigqueueinfo, sys_process(), SYS_MUST(SYS_gettid), number, info);
}

/* What the kernel does before it calls a handler. The return from ours restores the mask. */
static void pass_on(int number, siginfo_t *info, void *context)
{
    struct sigaction action;

    bytes_copy(&action, &program_action, sizeof action); /* an assignment would be a call of memcpy */
    if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
        pass_to_default(number, info, action.sa_handler == SIG_IGN);
        return;
    }
    if ((action.sa_flags & SA_RESETHAND) != 0)
        program_action.sa_handler = SIG_DFL;
    if ((action.sa_flags & SA_NODEFER) == 0)
        sigaddset(&action.sa_mask, number);
    sigprocmask(SIG_BLOCK, &action.sa_mask, NULL);
    if ((action.sa_flags & SA_SIGINFO) != 0)
        action.sa_sigaction(number, info, context);
    else
        action.sa_handler(number);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int saved = errno;
    uintptr_t address = (uintptr_t)info->si_addr;
    bool again = info->si_code == SEGV_ACCERR && (lift_in_orphan(address) || wait_for_run(address));

    errno = saved;
    if (!again)
        pass_on(number, info, context);
}

/* Linux copies the signal handlers of a process before its memory (copy_process() in kernel/fork.c). A child that is made while we install
   the handler and protect a run may get the protected pages without the handler. Announced forks wait for us; for the others we wait a
   moment between the two steps. */
static void let_clones_pass(void)
{
    struct timespec time = {0, CLONES_PASS};

    while (SYS_MUST(SYS_nanosleep, &time, &time) == -EINTR)
        continue;
}

static int install(void)
{
    struct sigaction action = empty_action();
    struct sigaction now;

    if (next.sigaction == NULL)
        return -ENOSYS;
    /* The program may have replaced it by a way that we do not stand in front of. */
    if (installed && next.sigaction(SIGSEGV, NULL, &now) == 0 && now.sa_sigaction == on_fault)
        return 0;
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
    if (next.sigaction(SIGSEGV, &action, &program_action) != 0)
        return -EPERM;
    installed = true;
    let_clones_pass();
    return 0;
}

static void take_out(time_t rest)
{
    struct sigaction now;

    if (!atomic_load_explicit(&installed, memory_order_relaxed) || !descriptor_in_own_process())
        return;
    lock_take(&lock);
    if (installed && guarded_runs == 0 && seconds_now() > last_let_go + rest && next.sigaction(SIGSEGV, NULL, &now) == 0) {
        if (now.sa_sigaction == on_fault)
            next.sigaction(SIGSEGV, &program_action, NULL);
        installed = false;
    }
    lock_drop(&lock);
}

void write_guard_rest(void)
{
    take_out(REST_AFTER);
}

void write_guard_end(void)
{
    take_out(-1);
}

static bool task_blocks_segv(const char *task)
{
    char path[64];
    char text[2048];
    const char *mask;

    snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
    if (sys_read_file(path, text, sizeof text) < 0)
        return false; /* it ended */
    mask = strstr(text, "\nSigBlk:");
    return mask == NULL || (strtoull(mask + 8, NULL, 16) >> (SIGSEGV - 1) & 1) != 0;
}

/* Stops the walk at the first task that blocks SIGSEGV. */
static bool ask_task(const char *task, void *blocked)
{
    *(bool *)blocked = task_blocks_segv(task);
    return !*(bool *)blocked;
}

static bool any_blocks_segv(void)
{
    long fd = SYS(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool blocked = fd < 0;

    if (fd >= 0) {
        if (procfile_names((int)fd, ask_task, &blocked) != 0)
            blocked = true;
        SYS_MUST(SYS_close, fd);
    }
    return blocked;
}

static int remember(uintptr_t start, uintptr_t end)
{
    for (int i = 0; i < HELD; i++)
        if (atomic_load(&held_end[i]) == 0) {
            atomic_store(&held_start[i], start);
            atomic_store(&held_end[i], end);
            return 0;
        }
    return -EBUSY;
}

static void let_go(uintptr_t start)
{
    lock_take(&lock);
    for (int i = 0; i < HELD; i++)
        if (atomic_load(&held_end[i]) != 0 && atomic_load(&held_start[i]) == start) {
            atomic_store(&held_end[i], 0);
            break;
        }
    guarded_runs--;
    last_let_go = seconds_now();
    lock_drop(&lock);
    atomic_fetch_add(&generation, 1);
    SYS_MUST(SYS_futex, &generation, FUTEX_WAKE_PRIVATE, 1 << 30, 0, 0, 0);
}

static void mprotect_cancel(uintptr_t start, uintptr_t end)
{
    SYS_MUST(SYS_mprotect, start, end - start, PROT_READ | PROT_WRITE);
    let_go(start);
}

static int mprotect_stop_writers(uintptr_t start, uintptr_t end)
{
    int error;

    if (any_blocks_segv())
        return -EDEADLK;
    lock_take(&lock);
    error = install();
    if (error == 0)
        error = remember(start, end);
    guarded_runs += error == 0;
    lock_drop(&lock);
    if (error != 0)
        return error;
    error = (int)SYS(SYS_mprotect, start, end - start, PROT_READ);
    if (error != 0)
        mprotect_cancel(start, end); /* a range of several mappings may be protected in part */
    return error;
}

static void mprotect_replaced(uintptr_t start, uintptr_t end)
{
    (void)end;
    let_go(start);
}

/* A vfork child shares what we remember, but not the handlers. */
static int sigaction_in_child(const struct sigaction *act, struct sigaction *old)
{
    int result = next.sigaction(SIGSEGV, act, old);

    if (result == 0 && old != NULL && old->sa_sigaction == on_fault)
        bytes_copy(old, &program_action, sizeof *old);
    return result;
}

static void exchange_action(const struct sigaction *act, struct sigaction *old)
{
    struct sigaction before;

    bytes_copy(&before, &program_action, sizeof before);
    if (act != NULL)
        bytes_copy(&program_action, act, sizeof before);
    if (old != NULL)
        bytes_copy(old, &before, sizeof before);
}

bool guard_sigaction(const struct sigaction *act, struct sigaction *old, int *result)
{
    bool ours;

    if (!atomic_load_explicit(&installed, memory_order_relaxed))
        return false;
    lock_take(&lock);
    ours = installed;
    *result = 0;
    if (ours && !descriptor_in_own_process())
        *result = sigaction_in_child(act, old);
    else if (ours)
        exchange_action(act, old);
    lock_drop(&lock);
    return ours;
}

const struct write_guard write_guard_mprotect = {"mprotect", true, mprotect_stop_writers, mprotect_replaced, mprotect_cancel};
