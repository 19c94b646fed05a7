/* SPDX-License-Identifier: MIT */
/* The summary of COWSHIM_STATS=FILE is a line of JSON also when the file gets the number of a descriptor that the program closed. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "story.h"

#define SIZE ((size_t)4 << 20)

static char path[4096];

/* The program whose summary is looked at: one large copy, and number 2 is free at its end. */
static int copy_and_close(void)
{
    char *from = malloc(SIZE);
    char *to = malloc(SIZE);

    memset(from, 1, SIZE);
    memcpy(to, from, SIZE);
    close(STDERR_FILENO);
    return to[SIZE - 1] == 1 ? 0 : 1;
}

static int tell(void)
{
    char line[65536];
    FILE *file;
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        setenv("COWSHIM_STATS", path, 1);
        execl("/proc/self/exe", "summary", "copy", (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "the program ended with status 0x%x", (unsigned)status);
    file = fopen(path, "r");
    CHECK(file != NULL, "no %s", path);
    CHECK(fgets(line, sizeof line, file) != NULL, "no line in it");
    CHECK(line[0] == '{' && strcmp(line + strlen(line) - 2, "}\n") == 0, "not one line of JSON: %.60s", line);
    CHECK(strstr(line, "\"copies_shared\":1,") != NULL, "the copy is not in it: %.200s", line);
    CHECK(fgets(line, sizeof line, file) == NULL, "another line in it: %.60s", line);
    fclose(file);
    return KEPT;
}

int main(int argc, char **argv)
{
    static const struct story stories[] = {
        {"a program that closed its stderr leaves one line of JSON", tell},
    };

    if (argc > 1)
        return copy_and_close();
    snprintf(path, sizeof path, "%s.closed", getenv("COWSHIM_STATS"));
    return tell_all(stories, COUNT_OF(stories));
}
