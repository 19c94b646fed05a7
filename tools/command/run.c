/* SPDX-License-Identifier: MIT */
/* cowshim run [OPTION]... [--] PROGRAM [ARGUMENT]...: sets the environment and becomes the program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "elf_file.h"
#include "library.h"
#include "program.h"
#include "settings.h"
#include "target.h"

static int help_print(void)
{
    puts("Usage: cowshim run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
         "Runs PROGRAM with the shim: a copy of a large array costs only the pages that are\n"
         "changed afterwards. What follows PROGRAM is PROGRAM's.\n"
         "\n"
         "Options; each sets the variable that it names, for PROGRAM and all that it starts:");
    settings_print_help();
    settings_print_option("help", "this text");
    puts("\n"
         "Exit code: that of PROGRAM; 125 if the command line is wrong, 126 if PROGRAM or the\n"
         "library is there but cannot be used, 127 if it is not there.\n"
         "See also cowshim(1) and libcowshim(7).");
    return EXIT_SUCCESS;
}

/* -1: go on at argv[optind]. Otherwise the exit code. */
static int parse(int argc, char **argv)
{
    struct option options[CONFIG_COUNT + 2] = {0};
    int found;

    settings_add_options(options);
    options[CONFIG_COUNT] = (struct option){"help", no_argument, NULL, 'h'};
    /* The + stops at PROGRAM: its options are not ours. */
    while ((found = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        if (found == 'h')
            return help_print();
        if (found < SETTINGS_FIRST)
            return message_usage("cowshim run");
        if (!settings_apply((unsigned)(found - SETTINGS_FIRST), optarg))
            return EXIT_USAGE;
    }
    if (optind < argc)
        return -1;
    message_error("no program is given");
    return message_usage("cowshim run");
}

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
        message_error("%s is not found%s", *name != '\0' ? name : "a program without a name",
                      strchr(name, '/') == NULL ? " in PATH" : "");
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
    message_warn("LD_PRELOAD holds %s, which has its own allocator and must come first: running without the shim",
                 sanitizer);
    free(sanitizer);
    return false;
}

static int start(char **argv, const char *library, const struct elf_file *file)
{
    char *program;
    int code = find_program(argv[0], &program);

    if (code != 0)
        return code;
    if (wants_preload(program, file))
        code = library_preload(library);
    if (code == 0)
        code = program_execute(argv[0], program, argv);
    free(program);
    return code;
}

int command_run(int argc, char **argv)
{
    struct elf_file file;
    char *library;
    int code = parse(argc, argv);

    if (code >= 0)
        return code;
    if (settings_quiet())
        message_hush_warnings();
    code = find_library(&library, &file);
    if (code == 0)
        code = start(argv + optind, library, &file);
    free(library);
    return code;
}
