/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/place.h"

#define TOOLS "cowshim-tools"

int tools_become(const char *name, char **argv)
{
    char folder[PATH_MAX], above[PATH_MAX];
    size_t count = 0;
    char *path = NULL;
    char **words;

    while (argv[count] != NULL)
        count++;
    words = calloc(count + 2, sizeof *words);
    if (words == NULL || !place_executable(folder, above) || asprintf(&path, "%s/" TOOLS, folder) < 0) {
        message_error("the folder of this program is not known: %s", strerror(errno));
        free(words);
        return EXIT_USAGE;
    }
    words[0] = path;
    words[1] = strdup(name);
    memcpy(words + 2, argv + 1, count * sizeof *words);
    execv(path, words);
    if (errno == ENOENT)
        message_error("cowshim %s is in the program " TOOLS ", which is not installed here (%s)", name, path);
    else
        message_error("%s: %s", path, strerror(errno));
    return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
