/* SPDX-License-Identifier: MIT */
#include "command/common/launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/elf_file.h"
#include "command/common/library.h"
#include "command/common/program.h"
#include "command/common/settings.h"
#include "command/common/target.h"

static int find_library(char **library, struct elf_file *file)
{
    int code = library_find(library);

    if (code != 0)
        return code;
    if (elf_read(*library, file) == 0)
        return 0;
    message_error("%s is not a shared library", *library);
    return EXIT_CANNOT_RUN;
}

static int find_program(const char *name, char **path)
{
    int error = program_find(name, path);

    if (error == 0)
        return 0;
    if (error == -ENOENT || error == -ENOTDIR) {
        message_error("%s is not found%s", *name != '\0' ? name : "a program without a name", strchr(name, '/') == NULL ? " in PATH" : "");
        return EXIT_NOT_FOUND;
    }
    message_error("%s cannot be run: %s", name, strerror(-error));
    return EXIT_CANNOT_RUN;
}

/* A sanitizer's library must stay the first of LD_PRELOAD, and then its allocator is the one that is called. */
static bool wants_preload(const char *program, const struct elf_file *library)
{
    char *sanitizer = library_find_sanitizer();

    if (sanitizer == NULL)
        return target_check(program, library);
    message_warn("LD_PRELOAD holds %s, which has its own allocator and must come first: running without the shim", sanitizer);
    free(sanitizer);
    return false;
}

/* Beside the shim, also where a link leads to that. */
static int preload_beside(const char *library, const char *name)
{
    char *real = realpath(library, NULL);
    const char *const folders[] = {library, real};
    char *path = NULL;
    int code;

    for (int i = 0; i < 2 && path == NULL && folders[i] != NULL; i++) {
        const char *slash = strrchr(folders[i], '/');

        if (asprintf(&path, "%.*s/%s", slash == NULL ? 1 : (int)(slash - folders[i]), slash == NULL ? "." : folders[i], name) < 0)
            path = NULL;
        if (path != NULL && access(path, R_OK) != 0) {
            free(path);
            path = NULL;
        }
    }
    if (path == NULL)
        message_error("%s is not found beside %s: it is in the package cowshim-tools, and in no build with --disable-profile", name,
                      library);
    code = path == NULL ? EXIT_NOT_FOUND : library_preload(path);
    free(path);
    free(real);
    return code;
}

static int start(char **argv, const char *library, const struct elf_file *file, const char *beside)
{
    char *program;
    int code = find_program(argv[0], &program);

    if (code != 0)
        return code;
    if (wants_preload(program, file)) {
        code = beside == NULL ? 0 : preload_beside(library, beside);
        if (code == 0)
            code = library_preload(library);
    }
    if (code == 0)
        code = program_execute(argv[0], program, argv);
    free(program);
    return code;
}

int launch(char **argv, const char *beside)
{
    struct elf_file file;
    char *library;
    int code;

    if (settings_quiet())
        message_hush_warnings();
    code = find_library(&library, &file);
    if (code == 0)
        code = start(argv, library, &file, beside);
    free(library);
    return code;
}
