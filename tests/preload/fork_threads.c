/* SPDX-License-Identifier: MIT */
/* fork() while other threads fill, copy, advise and allocate: the child finds no lock held, whatever they did at that moment;
   and so does a signal handler that fills and copies while its thread does the same. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/patience.h"

#define SIZE ((size_t)1 << 20) /* COWSHIM_MIN_SIZE where nothing else is said */
#define THREADS 4
#define SECONDS 3

static _Atomic int stop;

static time_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

/* Short operations, one after the other: most of them only ask whether there is anything to do. */
static void *be_busy(void *unused)
{
    unsigned char *from = malloc(SIZE);
    unsigned char *to = malloc(SIZE);
    unsigned char *other = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(from, 1, SIZE);
    for (unsigned round = 0; !stop; round++) {
        for (int i = 0; i < 200; i++) {
            madvise(other, 4096, MADV_DONTNEED);
            mprotect(other, 4096, PROT_READ | PROT_WRITE);
        }
        memset(other, 0, SIZE);
        from[round % SIZE] = 2;
        memcpy(to, from, SIZE);
        free(malloc(SIZE));
    }
    free(from);
    free(to);
    munmap(other, SIZE);
    return unused;
}

static int use_everything(unsigned char *from, unsigned char *to)
{
    memset(from, 7, SIZE);
    memcpy(to, from, SIZE);
    memset(to, 0, SIZE / 2);
    if (madvise(from, SIZE, MADV_DONTNEED) != 0) /* natively it is not on a page boundary */
        from[0] = 0;
    return to[SIZE - 1] != 7 || to[0] != 0 || from[0] != 0;
}

static int children_find_no_lock_held(unsigned char *from, unsigned char *to)
{
    time_t end = now() + SECONDS;
    int count = 0;

    while (now() < end) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            alarm(patience(10));
            _exit(use_everything(from, to));
        }
        count++;
        if (pid < 0 || waitpid(pid, &status, 0) != pid)
            return printf("no child: %s\n", strerror(errno)), 1;
        if (status != 0) {
            printf("child %d ended with status 0x%x%s\n", count, (unsigned)status, status == SIGALRM ? ": it hung" : "");
            return 1;
        }
    }
    return 0;
}

static unsigned char *handlers_from, *handlers_to;
static _Atomic int handled;

static void on_timer(int number)
{
    (void)number;
    memset(handlers_from, 5, SIZE);
    memcpy(handlers_to, handlers_from, SIZE);
    madvise(handlers_to, SIZE, MADV_DONTNEED);
    handled++;
}

static void on_alarm(int number)
{
    static const char text[] = "hung: a handler waits for what its own thread holds\n";

    (void)number;
    _exit(write(1, text, sizeof text - 1) > 0 ? 1 : 2);
}

static int handlers_find_no_lock_held(void)
{
    struct sigaction timer_action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct sigaction alarm_action = {.sa_handler = on_alarm};
    struct itimerval soon = {{0, 0}, {0, 500}}; /* once: where a handler takes longer nothing else would run any more */
    unsigned char *block = malloc(SIZE);
    time_t end = now() + SECONDS;

    handlers_from = malloc(SIZE);
    handlers_to = malloc(SIZE);
    sigaction(SIGPROF, &timer_action, NULL);
    sigaction(SIGALRM, &alarm_action, NULL);
    alarm(patience(SECONDS + 15));
    while (now() < end) {
        int before = handled;

        setitimer(ITIMER_PROF, &soon, NULL);
        while (handled == before)
            madvise(block, 4096, MADV_DONTNEED);
    }
    alarm(0);
    if (handled == 0)
        return printf("no signal came\n"), 1;
    return 0;
}

int main(void)
{
    unsigned char *from = malloc(SIZE);
    unsigned char *to = malloc(SIZE);
    pthread_t threads[THREADS];
    int failed;

    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, be_busy, NULL) != 0)
            return 2;
    failed = children_find_no_lock_held(from, to);
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return handlers_find_no_lock_held() | failed;
}
