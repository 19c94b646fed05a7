/* SPDX-License-Identifier: MIT */
#include "command/common/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/common/command.h"

static int check(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    return eaccess(path, X_OK) == 0 ? 0 : -errno;
}

static int find_in_path(const char *name, const char *list, char **path)
{
    int error = -ENOENT;

    for (;;) {
        size_t length = strcspn(list, ":");
        int result;

        /* An empty entry is the current folder. */
        if (asprintf(path, "%.*s/%s", length == 0 ? 1 : (int)length, length == 0 ? "." : list, name) < 0)
            return -ENOMEM;
        result = check(*path);
        if (result == 0)
            return 0;
        /* A folder that may not be searched says nothing about the program, though execvp() would blame that. */
        if (result == -EACCES && access(*path, F_OK) == 0)
            error = result;
        free(*path);
        if (list[length] == '\0')
            return error;
        list += length + 1;
    }
}

int program_find(const char *name, char **path)
{
    const char *list = getenv("PATH");
    int result;

    if (*name == '\0')
        return -ENOENT;
    if (strchr(name, '/') == NULL)
        return find_in_path(name, list != NULL ? list : "/bin:/usr/bin", path);
    result = check(name);
    if (result != 0)
        return result;
    *path = strdup(name);
    return *path != NULL ? 0 : -ENOMEM;
}

/* A script without #! is one for the shell. Anything else that the kernel does not know must not be fed to it. */
static bool is_text(const char *path)
{
    char start[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, start, sizeof start);

    if (fd >= 0)
        close(fd);
    return length >= 0 && memchr(start, '\0', (size_t)length) == NULL;
}

int program_execute(const char *name, const char *path, char **argv)
{
    execv(path, argv);
    if (errno == ENOEXEC && is_text(path))
        execvp(path, argv);
    /* The file itself was there a moment ago. */
    if (errno == ENOENT)
        message_error("%s cannot be run: its interpreter is not there", name);
    else
        message_error("%s cannot be run: %s", name, strerror(errno));
    return EXIT_CANNOT_RUN;
}
