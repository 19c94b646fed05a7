/* SPDX-License-Identifier: MIT */
/* Memory that somebody else holds. Each story runs in a child of its own: what such a process once opened is remembered. */
#ifndef COWSHIM_TESTS_PRELOAD_HELD_H
#define COWSHIM_TESTS_PRELOAD_HELD_H

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"

#define PAGE 4096
#define SIZE ((size_t)4 << 20)

static inline int in_child(int (*tell)(void))
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        int result = tell();

        fflush(stdout);
        _exit(result);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return BROKEN;
    CHECK(WIFEXITED(status), "the child ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* How often: so many times as usual, or more for a soak (tests/model/soak.sh). */
static inline int rounds(int usual)
{
    const char *more = getenv("STORY_TIMES");

    return more == NULL ? usual : usual * atoi(more);
}

static inline unsigned char *block(unsigned salt)
{
    unsigned char *memory = malloc(SIZE);

    paint(memory, SIZE, salt);
    return memory;
}

#endif
