/* SPDX-License-Identifier: MIT */
/* The engine as libFuzzer sees it. What an input covers is counted in its own process, and handed back through shared memory. */
#include "target.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "operations.h"

#define PATIENCE 20 /* seconds */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The counters that clang puts into each block of the code, all in a row; without -fsanitize=fuzzer there are none. */
extern uint8_t __start___sancov_cntrs[] __attribute__((weak));
extern uint8_t __stop___sancov_cntrs[] __attribute__((weak));

static uint8_t *covered; /* shared */

static size_t counters(void)
{
    return (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs);
}

/* Children of the input come here, too, at the same time; a count that is lost is no harm. */
static void hand_over(void)
{
    for (size_t i = 0; i < counters(); i++)
        if (covered[i] < __start___sancov_cntrs[i])
            covered[i] = __start___sancov_cntrs[i];
}

static void take_over(void)
{
    for (size_t i = 0; i < counters(); i++) {
        __start___sancov_cntrs[i] = covered[i];
        covered[i] = 0;
    }
}

int target_run(const uint8_t *data, size_t size)
{
    int status;
    pid_t pid;

    if (covered == NULL)
        covered = mmap(NULL, counters() + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(NULL);
    pid = covered == MAP_FAILED ? -1 : fork();
    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(PATIENCE);
        operations_run(data, size, hand_over);
    }
    while (pid < 0 || waitpid(pid, &status, 0) != pid)
        if (pid < 0 || errno != EINTR) { /* libFuzzer's own clock interrupts */
            perror("fuzz: no process for an input");
            exit(2);
        }
    take_over();
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int status = target_run(data, size);

    if (status != 0) {
        fprintf(stderr, "fuzz: the input's process ended with status 0x%x%s\n", (unsigned)status, status == SIGALRM ? ": it hung" : "");
        abort();
    }
    return 0;
}
