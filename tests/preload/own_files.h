/* SPDX-License-Identifier: MIT */
/* The files that the shim has open in a process: its stores, and the page that other processes read. */
#ifndef COWSHIM_TESTS_PRELOAD_OWN_FILES_H
#define COWSHIM_TESTS_PRELOAD_OWN_FILES_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static inline bool is_own_file(const char *path)
{
    char name[256];
    ssize_t length = readlink(path, name, sizeof name - 1);

    if (length < 0)
        return false;
    name[length] = '\0';
    return strncmp(name, "/memfd:cowshim", 14) == 0 || (strncmp(name, "/#", 2) == 0 && strstr(name, "(deleted)") != NULL);
}

/* Calls visit() with the path of each of them in /proc, and returns the sum of what it returns. */
static inline long over_own_files(pid_t process, long (*visit)(const char *path))
{
    char path[300];
    struct dirent *entry;
    long sum = 0;
    DIR *directory;

    snprintf(path, sizeof path, "/proc/%d/fd", process);
    directory = opendir(path);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        snprintf(path, sizeof path, "/proc/%d/fd/%s", process, entry->d_name);
        if (is_own_file(path))
            sum += visit(path);
    }
    if (directory != NULL)
        closedir(directory);
    return sum;
}

#endif
