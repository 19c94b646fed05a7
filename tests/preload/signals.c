/* SPDX-License-Identifier: MIT */
/* Signals: handlers that copy, on any stack; masks and errno stay; and SIGSEGV belongs to the program, although the mprotect guard
   takes it for a moment. Every story holds without the shim, too. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"

#define SIZE ((size_t)2 << 20)
#define PAGE ((size_t)4096)

static unsigned char *from, *to;

/* Moves the painted block into stores again: every guard comes to work, if there is one. */
static void copy_anew(void)
{
    paint(from, SIZE, 1);
    memcpy(to, from, SIZE);
}

static struct {
    unsigned char *from, *to;
    volatile int count, wrong;
} in_handler;

static void copy_in_handler(int number)
{
    int saved = errno;

    (void)number;
    errno = 1234;
    in_handler.from[(size_t)in_handler.count % SIZE] ^= 0;
    memcpy(in_handler.to, in_handler.from, SIZE);
    in_handler.to[0] ^= 1; /* and its own page for the next time */
    memset(in_handler.to, 0, SIZE / 2);
    memcpy(in_handler.to, in_handler.from, SIZE);
    in_handler.wrong += errno != 1234 || in_handler.to[SIZE / 3] != pattern(SIZE / 3, 2) || in_handler.to[0] != pattern(0, 2);
    in_handler.count++;
    errno = saved;
}

static int interrupt_copies(int flags)
{
    struct sigaction action = {.sa_handler = copy_in_handler, .sa_flags = flags};
    struct itimerval every = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};

    in_handler.count = 0;
    sigaction(SIGVTALRM, &action, NULL);
    setitimer(ITIMER_VIRTUAL, &every, NULL);
    for (int round = 0; round < 20000 && in_handler.count < 60; round++) {
        void *block = malloc(SIZE);

        errno = 4321;
        from[(size_t)round * PAGE % SIZE] ^= 1;
        memcpy(to, from, SIZE);
        from[(size_t)round * PAGE % SIZE] ^= 1;
        free(block);
        if (errno != 4321)
            break;
    }
    setitimer(ITIMER_VIRTUAL, &never, NULL);
    CHECK(errno == 4321, "errno is %d", errno);
    CHECK(in_handler.count > 0, "no signal came");
    CHECK(in_handler.wrong == 0, "%d of %d handlers copied something else, or errno changed", in_handler.wrong, in_handler.count);
    CHECK(first_wrong(from, SIZE, 0, 1) == SIZE_MAX, "the interrupted block is wrong");
    CHECK(first_wrong(in_handler.from, SIZE, 0, 2) == SIZE_MAX, "the handler's block is wrong");
    return KEPT;
}

static int handlers_copy(void)
{
    return interrupt_copies(0);
}

/* As small as the system says that one may be, with a page below it that kills. */
static int handlers_copy_on_small_stacks(void)
{
    size_t size = ((size_t)sysconf(_SC_SIGSTKSZ) + PAGE - 1) / PAGE * PAGE;
    char *stack = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t before, alternate = {.ss_sp = stack + PAGE, .ss_size = size}, off = {.ss_flags = SS_DISABLE};
    int broken;

    mprotect(stack, PAGE, PROT_NONE);
    CHECK(sigaltstack(&alternate, &before) == 0, "no alternate stack: %s", strerror(errno));
    broken = interrupt_copies(SA_ONSTACK);
    sigaltstack((before.ss_flags & SS_DISABLE) != 0 ? &off : &before, NULL);
    munmap(stack, size + PAGE);
    return broken;
}

static bool same_mask(const sigset_t *a, const sigset_t *b)
{
    for (int number = 1; number < NSIG; number++)
        if (sigismember(a, number) != sigismember(b, number))
            return false;
    return true;
}

static int masks_stay(void)
{
    static const int blocked[] = {0, SIGUSR1, SIGTERM, SIGSEGV};

    for (size_t i = 0; i < COUNT_OF(blocked); i++) {
        sigset_t wanted, before, after;
        int state;

        sigemptyset(&wanted);
        if (blocked[i] != 0)
            sigaddset(&wanted, blocked[i]);
        sigprocmask(SIG_SETMASK, &wanted, &before);
        copy_anew();
        memset(to, 0, SIZE);
        madvise(to, SIZE, MADV_DONTNEED);
        free(realloc(malloc(SIZE), 2 * SIZE));
        sigprocmask(SIG_SETMASK, &before, &after);
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
        CHECK(same_mask(&wanted, &after), "the mask with %d in it changed", blocked[i]);
        CHECK(state == PTHREAD_CANCEL_ENABLE, "cancellation is disabled");
    }
    return KEPT;
}

static sigjmp_buf back;
static struct {
    volatile sig_atomic_t count, code, blocked, other_blocked, action_is_default;
    unsigned char *volatile address;
    void *volatile repair; /* a page to make writable before returning; else the handler jumps */
} seen;

static void on_segv(int number, siginfo_t *info, void *context)
{
    struct sigaction now;
    sigset_t mask;

    (void)context;
    seen.count++;
    seen.code = info->si_code;
    seen.address = info->si_addr;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    seen.blocked = sigismember(&mask, SIGSEGV);
    seen.other_blocked = sigismember(&mask, SIGUSR2);
    sigaction(number, NULL, &now);
    seen.action_is_default = now.sa_handler == SIG_DFL;
    if (seen.repair == NULL)
        siglongjmp(back, 1);
    mprotect(seen.repair, PAGE, PROT_READ | PROT_WRITE);
}

static void handle_segv(int flags, int also_blocked)
{
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | flags};

    sigemptyset(&action.sa_mask);
    if (also_blocked != 0)
        sigaddset(&action.sa_mask, also_blocked);
    sigaction(SIGSEGV, &action, NULL);
    seen.count = 0;
    seen.repair = NULL;
}

static void write_and_come_back(unsigned char *volatile address)
{
    if (sigsetjmp(back, 1) == 0)
        *(volatile unsigned char *)address = 1;
}

static int faults_reach_the_program(void)
{
    unsigned char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigset_t mask;

    for (int round = 0; round < 2; round++) { /* the handler is set after the guard was at work, and before */
        if (round == 0)
            copy_anew();
        handle_segv(0, SIGUSR2);
        if (round == 1)
            copy_anew();
        write_and_come_back((unsigned char *)16);
        CHECK(seen.count == 1 && seen.address == (unsigned char *)16 && seen.code == SEGV_MAPERR, "%d calls, address %p, code %d",
              (int)seen.count, (void *)seen.address, (int)seen.code);
        CHECK(seen.blocked == 1 && seen.other_blocked == 1 && !seen.action_is_default, "the mask in the handler is wrong: %d %d",
              (int)seen.blocked, (int)seen.other_blocked);
        write_and_come_back(page + 100);
        CHECK(seen.count == 2 && seen.address == page + 100 && seen.code == SEGV_ACCERR, "%d calls, address %p, code %d", (int)seen.count,
              (void *)seen.address, (int)seen.code);
        sigprocmask(SIG_SETMASK, NULL, &mask);
        CHECK(!sigismember(&mask, SIGSEGV) && !sigismember(&mask, SIGUSR2), "the mask after the jump is wrong");
        handle_segv(SA_NODEFER | SA_RESETHAND, 0);
        write_and_come_back(page);
        CHECK(seen.count == 1 && seen.blocked == 0 && seen.action_is_default, "flags: %d calls, blocked %d, default %d", (int)seen.count,
              (int)seen.blocked, (int)seen.action_is_default);
    }
    signal(SIGSEGV, SIG_DFL);
    munmap(page, PAGE);
    return KEPT;
}

/* As garbage collectors do: the handler opens the page, the instruction runs again. */
static int handlers_repair(void)
{
    unsigned char *pages = mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (int i = 0; i < 8; i++) {
        copy_anew();
        handle_segv(0, 0);
        seen.repair = pages + (size_t)i * PAGE;
        *(volatile unsigned char *)(pages + (size_t)i * PAGE + 5) = 7;
        CHECK(seen.count == 1 && pages[(size_t)i * PAGE + 5] == 7, "%d calls, the byte is %d", (int)seen.count,
              pages[(size_t)i * PAGE + 5]);
    }
    signal(SIGSEGV, SIG_DFL);
    munmap(pages, 8 * PAGE);
    return KEPT;
}

static void other_handler(int number)
{
    (void)number;
}

static int actions_read_as_set(void)
{
    struct sigaction action = {.sa_handler = other_handler, .sa_flags = SA_NODEFER}, old;

    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    signal(SIGSEGV, SIG_DFL);
    copy_anew();
    sigaction(SIGSEGV, NULL, &old);
    CHECK(old.sa_handler == SIG_DFL && (old.sa_flags & SA_SIGINFO) == 0, "the default shows as %p", (void *)old.sa_handler);
    sigaction(SIGSEGV, &action, &old);
    CHECK(old.sa_handler == SIG_DFL, "the old action shows as %p", (void *)old.sa_handler);
    copy_anew();
    sigaction(SIGSEGV, NULL, &old);
    CHECK(old.sa_handler == other_handler && (old.sa_flags & (SA_NODEFER | SA_SIGINFO)) == SA_NODEFER &&
              sigismember(&old.sa_mask, SIGUSR2) == 1 && sigismember(&old.sa_mask, SIGUSR1) == 0,
          "the action shows as %p, flags %x", (void *)old.sa_handler, (unsigned)old.sa_flags);
    CHECK(signal(SIGSEGV, SIG_IGN) == other_handler, "signal() tells another handler");
    CHECK(signal(SIGSEGV, SIG_DFL) == SIG_IGN, "signal() tells another handler than SIG_IGN");
    return KEPT;
}

static void segv_by_raise(void)
{
    raise(SIGSEGV);
}

static void segv_by_kill(void)
{
    kill(getpid(), SIGSEGV);
}

static void segv_by_write(void)
{
    unsigned char *volatile nowhere = (unsigned char *)16;

    *(volatile unsigned char *)nowhere = 1;
}

static void segv_in_handler(int number)
{
    (void)number;
    segv_by_write();
    _exit(5);
}

static void handle_badly(int flags)
{
    struct sigaction action = {.sa_handler = segv_in_handler, .sa_flags = flags};

    sigaction(SIGSEGV, &action, NULL);
}

static int status_after(void (*prepare)(void), void (*act)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        prepare();
        copy_anew();
        act();
        _exit(9);
    }
    waitpid(pid, &status, 0);
    return status;
}

static void keep_default(void)
{
}

static void ignore(void)
{
    signal(SIGSEGV, SIG_IGN);
}

static void fault_again(void)
{
    handle_badly(0);
}

static int programs_die_as_ever(void)
{
    static const struct {
        const char *name;
        void (*prepare)(void), (*act)(void);
        bool dies;
    } ends[] = {
        {"raise, default", keep_default, segv_by_raise, true},
        {"kill, default", keep_default, segv_by_kill, true},
        {"fault, default", keep_default, segv_by_write, true},
        {"raise, ignored", ignore, segv_by_raise, false},
        {"fault, ignored", ignore, segv_by_write, true},
        {"fault in the handler", fault_again, segv_by_write, true},
        {"fault in the handler of raise", fault_again, segv_by_raise, true},
    };

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        int status = status_after(ends[i].prepare, ends[i].act);

        CHECK(ends[i].dies ? WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV : WIFEXITED(status) && WEXITSTATUS(status) == 9,
              "%s: status 0x%x", ends[i].name, (unsigned)status);
    }
    return KEPT;
}

static int vfork_children_change_only_their_own(void)
{
    struct sigaction now;
    pid_t pid;

    handle_segv(0, 0);
    copy_anew();
    pid = vfork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    sigaction(SIGSEGV, NULL, &now);
    CHECK(now.sa_sigaction == on_segv, "the parent's handler is %p", (void *)now.sa_handler);
    write_and_come_back((unsigned char *)16);
    CHECK(seen.count == 1, "%d calls", (int)seen.count);
    signal(SIGSEGV, SIG_DFL);
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"handlers copy, in the middle of copies; errno stays", handlers_copy},
        {"they do so on an alternate stack of SIGSTKSZ", handlers_copy_on_small_stacks},
        {"signal masks and the cancellation state stay", masks_stay},
        {"faults of the program reach its handler with its siginfo, mask and flags", faults_reach_the_program},
        {"a handler repairs and the instruction runs again, once", handlers_repair},
        {"sigaction and signal tell what was set", actions_read_as_set},
        {"SIGSEGV kills where it would have", programs_die_as_ever},
        {"a vfork child's handlers are its own", vfork_children_change_only_their_own},
    };

    from = malloc(SIZE);
    to = malloc(SIZE);
    in_handler.from = malloc(SIZE);
    in_handler.to = malloc(SIZE);
    paint(from, SIZE, 1);
    paint(in_handler.from, SIZE, 2);
    return tell_all(stories, COUNT_OF(stories));
}
