/* SPDX-License-Identifier: MIT */
/* Nobody waits for a large copy to end: signals are handled, numbers of descriptors are taken and processes are forked between its
   pieces; and a handler may leave it in the middle. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"
#include "tests/support/patience.h"

#define SIZE ((size_t)32 << 20)
#define OFTEN 3 /* whatever waits until the end of the copy comes once or twice */
#define NUMBER 77
#define SALT 5

static unsigned char *original, *copy, *third;
static pthread_t copier, other;
static _Atomic int done, copying, times, wrong;

static void make_blocks(void)
{
    original = malloc(SIZE);
    copy = malloc(SIZE);
    third = malloc(SIZE);
    paint(original, SIZE, SALT);
    paint(third, SIZE / 4, SALT + 1);
    copier = pthread_self();
    done = copying = times = wrong = 0;
}

static void free_blocks(void)
{
    free(original);
    free(copy);
    free(third);
}

/* Copies while another thread does something again and again, and counts how often it could while the copy was under way. */
static int copy_beside(void *(*something)(void *), int often)
{
    if (pthread_create(&other, NULL, something, NULL) != 0)
        return BROKEN;
    while (times == 0)
        usleep(100);
    times = 0;
    copying = 1;
    memcpy(copy, original, SIZE);
    copying = 0;
    done = 1;
    pthread_join(other, NULL);
    CHECK(holds(copy, SIZE, 0, SALT), "the copy is wrong");
    CHECK(holds(original, SIZE, 0, SALT), "the original is wrong");
    CHECK(wrong == 0, "%d of %d saw something wrong", wrong, times);
    CHECK(times >= often, "only %d times while the copy was under way", times);
    return KEPT;
}

static void count(void)
{
    if (copying || times == 0)
        times++;
}

static void on_signal(int number)
{
    (void)number;
    count();
}

static void on_signal_copy(int number)
{
    (void)number;
    if (times < OFTEN) {
        memcpy(third + SIZE / 2, third, SIZE / 4);
        wrong += memcmp(third + SIZE / 2, third, SIZE / 4) != 0;
        third[SIZE / 2 + (size_t)times * 4096] ^= 1;
    }
    count();
}

static void *send_signals(void *unused)
{
    while (!done) {
        pthread_kill(copier, SIGUSR1);
        usleep(100);
    }
    return unused;
}

static int copy_with(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    int result;

    make_blocks();
    sigaction(SIGUSR1, &action, NULL);
    result = copy_beside(send_signals, OFTEN);
    free_blocks();
    return result;
}

static int signals_are_handled(void)
{
    return copy_with(on_signal);
}

static int handlers_copy_as_well(void)
{
    return copy_with(on_signal_copy);
}

static void *take_numbers(void *unused)
{
    while (!done) {
        wrong += dup2(1, NUMBER) != NUMBER;
        count();
        usleep(100);
    }
    return unused;
}

static int numbers_are_taken(void)
{
    int result;

    make_blocks();
    result = copy_beside(take_numbers, OFTEN);
    close(NUMBER);
    free_blocks();
    return result;
}

/* A child sees the original as it is, and one in four copies a part of it. */
static int child(void)
{
    for (size_t at = 0; at < SIZE; at += SIZE / 8)
        if (!holds(original + at, 4096, at, SALT))
            return 1;
    if (times % 4 != 2)
        return 0;
    memcpy(third, original, SIZE / 16);
    return holds(third, SIZE / 16, 0, SALT) ? 0 : 2;
}

static void *fork_children(void *unused)
{
    while (!done) {
        int status = -1;
        pid_t pid = fork();

        if (pid == 0)
            _exit(child());
        count();
        wrong += pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
    }
    return unused;
}

static int children_are_forked(void)
{
    int result;

    make_blocks();
    result = copy_beside(fork_children, 0); /* a fork may take as long as the copy */
    free_blocks();
    return result;
}

static sigjmp_buf back;

static void on_signal_leave(int number)
{
    (void)number;
    if (copying)
        siglongjmp(back, 1);
    times = 1;
}

/* What the copy had sealed and shown stays right, and everything works as before. */
static int handlers_leave_it(void)
{
    struct sigaction action = {.sa_handler = on_signal_leave};

    make_blocks();
    sigaction(SIGUSR1, &action, NULL);
    if (sigsetjmp(back, 1) == 0)
        CHECK(copy_beside(send_signals, OFTEN) == BROKEN, "the copy was not left");
    copying = 0;
    done = 1;
    pthread_join(other, NULL);
    CHECK(holds(original, SIZE, 0, SALT), "the original is wrong");
    memcpy(copy, original, SIZE);
    memset(original, 1, SIZE);
    CHECK(holds(copy, SIZE, 0, SALT), "the copy is wrong");
    memcpy(third, copy, SIZE);
    memset(copy, 2, SIZE);
    CHECK(holds(third, SIZE, 0, SALT), "the copy's copy is wrong");
    free_blocks();
    return KEPT;
}

/* Who left a copy is not waited for when the process shuts itself in. The last story, for it cannot be undone. */
static int shutting_in_waits_for_nobody(void)
{
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {1, allow};
    struct sigaction action = {.sa_handler = SIG_DFL};

    sigaction(SIGALRM, &action, NULL);
    alarm(patience(10));
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "no filter");
    alarm(0);
    return KEPT;
}

int main(void)
{
    static const struct story stories[] = {
        {"signals are handled while a large copy is under way", signals_are_handled},
        {"their handlers copy as well", handlers_copy_as_well},
        {"numbers of descriptors are taken meanwhile", numbers_are_taken},
        {"children are forked meanwhile, and see what is right", children_are_forked},
        {"a handler leaves a large copy in the middle", handlers_leave_it},
        {"nor does shutting in wait for it", shutting_in_waits_for_nobody},
    };

    return tell_all(stories, COUNT_OF(stories));
}
