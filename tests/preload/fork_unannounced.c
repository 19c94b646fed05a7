/* SPDX-License-Identifier: MIT */
/* A child that a clone instruction of the program's own made (no hook sees it):
   1. keeps its bytes when the parent overwrites the original and the copy, and works on;
   2. can fork again, and write to the block, although another thread was in the middle of a copy of it when it was made. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "instruction.h"
#include "tests/support/patience.h"

#define SMALL ((size_t)8 << 20)
#define LARGE ((size_t)64 << 20)
#define STEP ((size_t)4096)
#define CHILDREN 60
#define FEWEST_CHILDREN 15 /* where copying the page tables of this process takes long, they come in so many seconds */
#define SECONDS 6

static _Atomic int stop;
static unsigned char *volatile copied; /* by the other thread, all the time */

static pid_t clone_by_instruction(void)
{
    return (pid_t)INSTRUCTION(SYS_clone, SIGCHLD);
}

static void touch(volatile unsigned char *block, size_t size, unsigned char value)
{
    for (size_t i = 0; i < size; i += STEP)
        block[i] = value;
}

/* Copies of other memory: events in which the shim looks for dead pages. */
static void work_on(void)
{
    void *from = malloc(SMALL);
    void *to = malloc(SMALL);

    memset(from, 1, SMALL);
    memcpy(to, from, SMALL);
    free(from);
    free(to);
}

static int child_keeps_its_bytes(void)
{
    volatile unsigned char *original = malloc(SMALL);
    volatile unsigned char *copy = malloc(SMALL);
    int go[2], status;
    pid_t pid;

    memset((void *)original, 1, SMALL);
    memcpy((void *)copy, (const void *)original, SMALL);
    if (pipe(go) != 0)
        return 1;
    pid = clone_by_instruction();
    if (pid == 0) {
        size_t wrong = 0;
        char byte;

        dup2(go[0], 0);
        closefrom(3);
        if (read(0, &byte, 1) != 1)
            _exit(2);
        for (size_t i = 0; i < SMALL; i += STEP)
            wrong += original[i] != 1 || copy[i] != 1;
        if (wrong != 0)
            dprintf(1, "%zu of %zu pages of the child changed; the first byte is %d\n", wrong, SMALL / STEP, original[0]);
        _exit(wrong != 0);
    }
    for (int round = 0; round < 3; round++) {
        touch(original, SMALL, 2);
        touch(copy, SMALL, 3);
        work_on();
    }
    if (write(go[1], "", 1) != 1 || waitpid(pid, &status, 0) != pid)
        return 1;
    return status != 0;
}

static void *copy_on(void *unused)
{
    unsigned char *from = malloc(LARGE);
    unsigned char *to = malloc(LARGE);

    copied = from;
    while (!stop) {
        touch(from, LARGE, 1);
        memcpy(to, from, LARGE);
    }
    free(from);
    free(to);
    return unused;
}

static int child_can_fork(void)
{
    time_t end = time(NULL) + SECONDS;
    int failed = 0;
    pthread_t thread;

    pthread_create(&thread, NULL, copy_on, NULL);
    while (copied == NULL)
        usleep(1000);
    for (int i = 0; i < CHILDREN && failed == 0 && (i < FEWEST_CHILDREN || time(NULL) < end); i++) {
        int status;
        pid_t pid;

        usleep(3000);
        pid = clone_by_instruction();
        if (pid == 0) {
            pid_t inner;

            alarm(patience(5));
            inner = _Fork();
            if (inner == 0)
                _exit(0);
            if (waitpid(inner, &status, 0) != inner || status != 0)
                _exit(1);
            touch(copied, LARGE, 4);
            _exit(0);
        }
        failed = waitpid(pid, &status, 0) != pid || status != 0;
        if (failed)
            printf("child %d ended with status 0x%x%s\n", i, (unsigned)status, status == SIGALRM ? ": it hung" : "");
    }
    stop = 1;
    pthread_join(thread, NULL);
    return failed;
}

int main(void)
{
    int failed;

    if (!HAVE_INSTRUCTION) {
        puts("no system call instruction written for this machine");
        return 77;
    }
    failed = child_keeps_its_bytes();

    return child_can_fork() | failed;
}
