/* SPDX-License-Identifier: MIT */
/* Runs the tests of a program and speaks TAP. By hand: --filter 'suite/name*' (Criterion), --only=PART (under TSan). */
#include "unit.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/descriptor.h"
#include "tests/support/patience.h"

#define SKIPPED 77
#define FAILED 78
#define SECONDS 300
#define TEXT_SIZE 1024

static char *text; /* shared with the child */

/* A report of UBSan is a failure and not a remark. */
const char *__ubsan_default_options(void);
__attribute__((visibility("default"))) const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:print_stacktrace=1";
}

void check_failed(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list arguments;
    int used = snprintf(text, TEXT_SIZE / 2, "%s:%d: %s", file, line, condition);

    if (used >= TEXT_SIZE / 2)
        used = TEXT_SIZE / 2 - 1;
    va_start(arguments, format);
    vsnprintf(text + used, TEXT_SIZE - (size_t)used, format, arguments);
    va_end(arguments);
    _exit(FAILED);
}

void unit_skip(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, TEXT_SIZE, format, arguments);
    va_end(arguments);
    _exit(SKIPPED);
}

static void run_in_child(void (*body)(void))
{
    descriptor_init(); /* the test is a process of its own, and no vfork child */
    alarm(patience(SECONDS));
    body();
    if (UNIT_TSAN || UNIT_COVERAGE)
        exit(0); /* TSan counts its reports there, and gcov writes down which lines ran */
    _exit(0);
}

enum unit_outcome unit_run(void (*body)(void), const char **why)
{
    int status = -1;
    pid_t child;

    text = mmap(NULL, TEXT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *why = text;
    fflush(NULL);
    child = fork();
    if (child == 0)
        run_in_child(body);
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        return UNIT_SKIPPED;
    if (WIFSIGNALED(status))
        snprintf(text, TEXT_SIZE, "ended by signal %d%s", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? ": took too long" : "");
    else if (status != 0 && WEXITSTATUS(status) != FAILED)
        snprintf(text, TEXT_SIZE, "ended with exit code %d", WEXITSTATUS(status));
    return status == 0 ? UNIT_PASSED : UNIT_FAILED;
}

#if UNIT_TSAN

extern const struct unit_test *const __start_unit_tests[], *const __stop_unit_tests[];

static bool report(const struct unit_test *test)
{
    const char *why;
    enum unit_outcome outcome = unit_run(test->body, &why);

    printf("%s - %s::%s", outcome == UNIT_FAILED ? "not ok" : "ok", test->suite, test->name);
    if (outcome != UNIT_PASSED)
        printf(outcome == UNIT_SKIPPED ? " # SKIP %s" : "\n# %s", why);
    putchar('\n');
    return outcome != UNIT_FAILED;
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 && strncmp(argv[1], "--only=", 7) == 0 ? argv[1] + 7 : "";
    const struct unit_test *const *test;
    int count = 0;
    bool good = true;

    for (test = __start_unit_tests; test < __stop_unit_tests; test++)
        if (*test != NULL && strstr((*test)->name, only) != NULL) {
            good &= report(*test);
            count++;
        }
    printf("1..%d\n", count);
    return good ? 0 : 1;
}

#else

#include <criterion/options.h>
#include <criterion/output.h>

void unit_report(void (*body)(void))
{
    const char *why;
    enum unit_outcome outcome = unit_run(body, &why);

    if (outcome == UNIT_SKIPPED)
        cr_skip_test("%s", why);
    cr_assert(outcome == UNIT_PASSED, "%s", why);
}

/* Visible: Criterion's workers find it by its name. */
__attribute__((visibility("default"))) int main(int argc, char **argv)
{
    struct criterion_test_set *tests = criterion_initialize();
    bool good = true;

    criterion_options.jobs = 1; /* tests of races want both processors */
    if (argc == 1)
        criterion_add_output("tap", "-");
    if (criterion_handle_args(argc, argv, true))
        good = criterion_run_all_tests(tests) != 0;
    criterion_finalize(tests);
    return good ? 0 : 1;
}

#endif
