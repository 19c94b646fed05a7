/* SPDX-License-Identifier: MIT */
#include "command/common/library.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/place.h"

#define LIBRARY "libcowshim.so"
/* What ld.so takes to end an entry; there is no way to quote them. */
#define SEPARATORS " :"

/* Symbolic links are kept: a link is how one gets around a name that LD_PRELOAD cannot hold. */
static char *absolute(const char *path)
{
    char *folder, *whole;

    if (*path == '/')
        return strdup(path);
    folder = getcwd(NULL, 0);
    if (folder == NULL || asprintf(&whole, "%s/%s", folder, path) < 0)
        whole = NULL;
    free(folder);
    return whole;
}

/* The places to look at, in this order; NULL ends them. The build tree counts only where the executable is in a folder
   called command, as it is there: an installed command must not take what somebody left in PREFIX/src. */
static void list_places(char *places[4])
{
    char folder[PATH_MAX], above[PATH_MAX];
    bool known = place_executable(folder, above);
    const char *name = known ? strrchr(folder, '/') : NULL;
    unsigned count = 0;

    if (name != NULL && strcmp(name, "/command") == 0 && asprintf(&places[count], "%s/src/.libs/%s", above, LIBRARY) >= 0)
        count++;
    if (asprintf(&places[count], "%s/%s", PKGLIBDIR, LIBRARY) >= 0)
        count++;
    if (known && asprintf(&places[count], "%s/lib/cowshim/%s", above, LIBRARY) >= 0) {
        if (count > 0 && strcmp(places[count - 1], places[count]) == 0)
            free(places[count]);
        else
            count++;
    }
    places[count] = NULL;
}

static int find_named(const char *name, char **path)
{
    if (access(name, R_OK) != 0) {
        message_error("COWSHIM_LIBRARY=%s: %s", name, strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    }
    *path = absolute(name);
    if (*path != NULL)
        return 0;
    message_error("COWSHIM_LIBRARY=%s: %s", name, strerror(errno));
    return EXIT_CANNOT_RUN;
}

int library_find(char **path)
{
    const char *named = getenv("COWSHIM_LIBRARY");
    char *places[4];

    *path = NULL;
    if (named != NULL && *named != '\0')
        return find_named(named, path);
    list_places(places);
    for (char **place = places; *place != NULL && *path == NULL; place++)
        if (access(*place, R_OK) == 0)
            *path = strdup(*place);
    if (*path == NULL) {
        message_error(LIBRARY " is not found; looked at:");
        for (char **place = places; *place != NULL; place++)
            fprintf(stderr, "    %s\n", *place);
        fputs("Set COWSHIM_LIBRARY to its path if it is elsewhere.\n", stderr);
    }
    for (char **place = places; *place != NULL; place++)
        free(*place);
    return *path == NULL ? EXIT_NOT_FOUND : 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* Also another build of ours: two of them in one program would stand in front of each other. */
static bool is_ours(const char *entry, const char *path)
{
    struct stat a, b;

    if (strcmp(base_name(entry), LIBRARY) == 0)
        return true;
    return stat(entry, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Ours first, since it calls the next allocator: jemalloc and the like have to come behind it. */
static char *compose(const char *path, const char *present)
{
    char *text = NULL;
    char *copy = strdup(present);
    size_t size;
    FILE *out = copy != NULL ? open_memstream(&text, &size) : NULL;
    bool written;

    if (out == NULL) {
        free(copy);
        return NULL;
    }
    fputs(path, out);
    for (char *rest = copy, *entry; (entry = strsep(&rest, SEPARATORS)) != NULL;)
        if (*entry != '\0' && !is_ours(entry, path))
            fprintf(out, ":%s", entry);
    written = fclose(out) == 0;
    free(copy);
    if (written)
        return text;
    free(text);
    return NULL;
}

int library_preload(const char *path)
{
    const char *present = getenv("LD_PRELOAD");
    char *value;
    int code = 0;

    if (strpbrk(path, SEPARATORS) != NULL) {
        message_error("%s: LD_PRELOAD cannot hold a path with a space or a colon; make a symbolic link without them "
                      "and set COWSHIM_LIBRARY to that",
                      path);
        return EXIT_CANNOT_RUN;
    }
    value = compose(path, present != NULL ? present : "");
    if (value == NULL || setenv("LD_PRELOAD", value, 1) != 0) {
        message_error("LD_PRELOAD: %s", strerror(errno));
        code = EXIT_USAGE;
    }
    free(value);
    return code;
}

char *library_find_sanitizer(void)
{
    static const char *const names[] = {"libasan.so", "libtsan.so", "libhwasan.so", "liblsan.so", "libclang_rt."};
    const char *present = getenv("LD_PRELOAD");
    char *copy = present != NULL ? strdup(present) : NULL;
    char *found = NULL;

    for (char *rest = copy, *entry; found == NULL && (entry = strsep(&rest, SEPARATORS)) != NULL;)
        for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strncmp(base_name(entry), names[i], strlen(names[i])) == 0) {
                found = strdup(entry);
                break;
            }
    free(copy);
    return found;
}
