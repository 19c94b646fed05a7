/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "base/next.h"
#include "base/page.h"
#include "engine/engine.h"
#include "tests/support/pattern.h"

/* clang 14's TSan takes the clone() that makes our mount, CLONE_VFORK or not, for a fork, and dies. */
#if UNIT_TSAN && defined(__clang__)
#define ALWAYS ",tmpfs-off"
#else
#define ALWAYS ""
#endif

void unit_start_base(const char *internal)
{
    char words[256];

    snprintf(words, sizeof words, "%s%s", internal == NULL ? "" : internal, ALWAYS);
    setenv("COWSHIM_INTERNAL", words, 1);
    setenv("COWSHIM_MIN_SIZE", "64K", 0);
    setenv("COWSHIM_POLICY", "memory", 0);
    next_bind();
    page_init();
    config_read();
}

void unit_start(const char *internal)
{
    unit_start_base(internal);
    engine_start();
    engine_wake();
}

char *unit_map(size_t size)
{
    size_t room = size + HUGE_SIZE;
    char *raw = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (raw == MAP_FAILED)
        UNIT_FAIL("no memory for a test");
    return (char *)align_up((uintptr_t)raw, HUGE_SIZE);
}

char *unit_block(size_t pages)
{
    char *start = unit_map(pages * page_size);

    if (!engine_add(start, pages * page_size, start))
        UNIT_FAIL("engine_add failed");
    return start;
}

void unit_remove(void *start)
{
    void *raw = NULL;

    if (!engine_remove(start, &raw) || raw != start)
        UNIT_FAIL("engine_remove gave back %p for %p", raw, start);
}

void unit_fill(char *start, size_t size, unsigned number)
{
    paint((unsigned char *)start, size, number);
}

bool unit_holds(const char *start, size_t size, unsigned number)
{
    return holds((const unsigned char *)start, size, 0, number);
}

bool unit_all(const char *start, size_t size, int value)
{
    return all_are((const unsigned char *)start, size, (unsigned char)value);
}

bool unit_copy(void *to, const void *from, size_t size)
{
    return unit_copy_by(to, from, size, (const void *)(uintptr_t)0x1000);
}

bool unit_copy_by(void *to, const void *from, size_t size, const void *caller)
{
    enum engine_copied copied = engine_copy(to, from, size, caller);

    if (copied == COPIED_NOT)
        memcpy(to, from, size);
    return copied == COPIED_SHARED;
}

static int capture_pipe[2];
static int real_stderr;

void unit_capture_begin(void)
{
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    if (real_stderr < 0 || pipe(capture_pipe) != 0 || dup2(capture_pipe[1], STDERR_FILENO) < 0)
        UNIT_FAIL("cannot capture stderr");
}

const char *unit_capture_end(void)
{
    static char text[8192];
    size_t used = 0;
    ssize_t got;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(capture_pipe[1]);
    while (used < sizeof text - 1 && (got = read(capture_pipe[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    close(capture_pipe[0]);
    text[used] = '\0';
    return text;
}

void unit_exit(int status)
{
    if (UNIT_COVERAGE)
        exit(status); /* gcov writes down which lines ran */
    _exit(status);
}

int unit_child(int (*run)(void *), void *argument)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0)
        unit_exit(run(argument));
    if (child < 0 || waitpid(child, &status, 0) != child)
        UNIT_FAIL("no child");
    return status;
}

uint64_t unit_random(void)
{
    static _Thread_local uint64_t state = UINT64_C(0x243f6a8885a308d3);

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

#if UNIT_TSAN
void __sanitizer_sandbox_on_notify(void *arguments);

static void *nothing(void *argument)
{
    return argument;
}

void unit_alone(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, nothing, NULL); /* from then on TSan has its own, too, and knows it */
    pthread_join(thread, NULL);
    __sanitizer_sandbox_on_notify(NULL);
}
#else
void unit_alone(void)
{
}
#endif
