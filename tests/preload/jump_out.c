/* SPDX-License-Identifier: MIT */
/* A handler may jump out of memset, memcpy and madvise (all of them async-signal-safe): afterwards copies still work, are still
   shared, and a fork does not wait for the operation that was left. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"
#include "tests/support/patience.h"

#define SIZE ((size_t)1 << 20)
#define JUMPS 1000

static sigjmp_buf back;
static volatile sig_atomic_t armed;
static volatile int jumps;

static void on_timer(int number)
{
    (void)number;
    if (armed)
        siglongjmp(back, 1);
}

static void on_alarm(int number)
{
    static const char text[] = "hung after a jump out of a handler\n";

    (void)number;
    _exit(write(1, text, sizeof text - 1) > 0 ? 1 : 2);
}

/* The short ones first: most of their time is our own. */
static void work(unsigned char *from, unsigned char *to)
{
    for (int i = 0; i < 50; i++)
        madvise(to, 4096, MADV_DONTNEED);
    for (int i = 0; i < 4; i++)
        memset(from, 0, SIZE);
    memset(from, 3, SIZE);
    memcpy(to, from, SIZE);
}

int main(void)
{
    struct sigaction timer_action = {.sa_handler = on_timer, .sa_flags = SA_NODEFER};
    struct sigaction alarm_action = {.sa_handler = on_alarm};
    struct itimerval every = {{0, 300}, {0, 300}};
    struct itimerval never = {{0, 0}, {0, 0}};
    unsigned char *from = malloc(SIZE);
    unsigned char *to = malloc(SIZE);
    int shared, status;
    pid_t pid;

    memset(from, 1, SIZE);
    memcpy(to, from, SIZE);
    /* Elsewhere the policy may have learned meanwhile that these copies do not pay. */
    shared = shows_store(to, SIZE) && getenv("COWSHIM_POLICY") != NULL && strcmp(getenv("COWSHIM_POLICY"), "memory") == 0;
    sigaction(SIGALRM, &alarm_action, NULL);
    alarm(patience(110));
    sigaction(SIGVTALRM, &timer_action, NULL);
    setitimer(ITIMER_VIRTUAL, &every, NULL);
    if (sigsetjmp(back, 1) != 0)
        jumps++;
    armed = 1;
    while (jumps < JUMPS)
        work(from, to);
    armed = 0;
    setitimer(ITIMER_VIRTUAL, &never, NULL);
    pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, &status, 0);
    memset(to, 0, SIZE);
    memset(from, 9, SIZE);
    memcpy(to, from, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        if (to[i] != 9)
            return printf("byte %zu of the copy is %d, not 9\n", i, to[i]), 1;
    if (shared && !shows_store(to, SIZE))
        return printf("copies were shared before the jumps and are not after them\n"), 1;
    return 0;
}
