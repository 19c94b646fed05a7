/* SPDX-License-Identifier: MIT */
#include "command/common/place.h"

#include <string.h>
#include <unistd.h>

bool place_executable(char folder[PATH_MAX], char above[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    char *slash;

    if (length <= 0)
        return false;
    folder[length] = '\0';
    slash = strrchr(folder, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    /* libtool keeps the executable here and a script where one expects it. */
    slash = strrchr(folder, '/');
    if (slash != NULL && strcmp(slash, "/.libs") == 0)
        *slash = '\0';
    strcpy(above, folder);
    slash = strrchr(above, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return true;
}
