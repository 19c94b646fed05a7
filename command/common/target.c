/* SPDX-License-Identifier: MIT */
#include "command/common/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/program.h"

/* What the kernel reads of a script's first line, and how often it follows one script to the next. */
#define LINE_SIZE 256
#define SCRIPTS_MOST 5

#define BLANKS " \t\r\n"

/* False: no line that starts with #!. */
static bool read_first_line(const char *path, char line[LINE_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t length = fd < 0 ? -1 : read(fd, line, LINE_SIZE - 1);

    if (fd >= 0)
        close(fd);
    if (length < 2 || line[0] != '#' || line[1] != '!')
        return false;
    line[length] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return true;
}

/* "#!/usr/bin/env -S A=1 python3 -u" runs python3. */
static bool is_env(const char *interpreter)
{
    const char *slash = strrchr(interpreter, '/');

    return strcmp(slash == NULL ? interpreter : slash + 1, "env") == 0;
}

static char *find_behind_env(char *rest)
{
    char *word, *path;

    while ((word = strsep(&rest, BLANKS)) != NULL)
        if (*word != '\0' && *word != '-' && strchr(word, '=') == NULL)
            return program_find(word, &path) == 0 ? path : NULL;
    return NULL;
}

/* The program that runs a file that is not ELF; to be freed. NULL: nobody knows. */
static char *find_interpreter(const char *path)
{
    char line[LINE_SIZE];
    char *rest, *interpreter;

    /* No #!: program_execute() gives it to the shell. */
    if (!read_first_line(path, line))
        return strdup("/bin/sh");
    rest = line + 2 + strspn(line + 2, BLANKS);
    interpreter = strsep(&rest, BLANKS);
    if (interpreter == NULL || *interpreter == '\0')
        return NULL;
    return is_env(interpreter) && rest != NULL ? find_behind_env(rest) : strdup(interpreter);
}

/* The ELF file at the end of the chain, its path to be freed; or NULL. */
static char *resolve(const char *path, struct elf_file *file)
{
    char *current = strdup(path);

    for (unsigned step = 0; current != NULL && step <= SCRIPTS_MOST; step++) {
        int error = elf_read(current, file);
        char *interpreter;

        if (error == 0)
            return current;
        interpreter = error == -ENOEXEC ? find_interpreter(current) : NULL;
        free(current);
        current = interpreter;
    }
    free(current);
    return NULL;
}

/* Why ld.so will ignore LD_PRELOAD (AT_SECURE), or NULL. The rules are those of the kernel's
   cap_bprm_creds_from_file(). */
static const char *find_privilege(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return NULL;
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != getuid())
        return "is setuid";
    if ((status.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status.st_gid != getgid())
        return "is setgid";
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return "has file capabilities";
    return NULL;
}

/* Programs that start another one which the environment does not reach: "sudo PROGRAM" has none of ours. */
static const char *find_remedy(const char *path)
{
    static const struct {
        const char *names, *remedy;
    } starters[] = {
        {" sudo su doas pkexec runuser ",
         "starts its program with an environment of its own, without the shim: put `cowshim run` behind it"},
        {" ssh rsh kubectl ", "starts its program on another machine, without the shim: put `cowshim run` before the program there"},
        {" docker podman nerdctl machinectl systemd-run flatpak snap at batch ",
         "has its program started by a service, without the shim: put `cowshim run` before the program there"},
    };
    const char *slash = strrchr(path, '/');
    char word[40];

    snprintf(word, sizeof word, " %s ", slash == NULL ? path : slash + 1);
    for (unsigned i = 0; i < sizeof starters / sizeof starters[0]; i++)
        if (strlen(word) > 2 && strstr(starters[i].names, word) != NULL)
            return starters[i].remedy;
    return NULL;
}

static bool judge(const char *path, const struct elf_file *file, const struct elf_file *library)
{
    const char *privilege = find_privilege(path);
    char theirs[48], ours[48];

    if (!elf_same_machine(file, library)) {
        message_warn("%s is a %s program and the shim is %s: it will not be active in it", path, elf_machine_name(file, theirs),
                     elf_machine_name(library, ours));
    } else if (file->is_static) {
        message_warn("%s is statically linked: the shim will not be active in it", path);
    } else if (file->sanitizer != NULL) {
        message_warn("%s is built with %s, which has its own allocator and must come first: it runs without the shim", path,
                     file->sanitizer);
        return false;
    } else if (strstr(file->loader, "/ld-musl-") != NULL) {
        message_warn("%s is built for musl, and the shim for glibc: it runs without the shim", path);
        return false;
    } else if (privilege != NULL) {
        message_warn("%s %s: the shim will not be active in it", path, privilege);
    }
    return true;
}

bool target_check(const char *path, const struct elf_file *library)
{
    struct elf_file file;
    const char *remedy = find_remedy(path);
    char *program = resolve(path, &file);
    bool preload;

    if (remedy != NULL)
        message_warn("%s %s", path, remedy);
    /* One warning is enough: sudo is setuid besides. */
    preload = remedy != NULL || program == NULL || judge(program, &file, library);
    free(program);
    return preload;
}
