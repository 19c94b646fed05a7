/* SPDX-License-Identifier: MIT */
/* cowshim run [OPTION]... [--] PROGRAM [ARGUMENT]...: sets the environment and becomes the program. */
#include <stdio.h>
#include <stdlib.h>

#include "command/common/command.h"
#include "command/common/options.h"
#include "command/common/launch.h"
#include "command/trail/profile.h"
#include "command/common/settings.h"

#define OPTION_REPORT 'r'

static int help_print(void)
{
    puts("Usage: cowshim run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
         "Runs PROGRAM with the shim: a copy of a large array costs only the pages that\n"
         "are changed afterwards. What follows PROGRAM is PROGRAM's.\n"
         "\n"
         "Options; each sets the variable that it names, for PROGRAM and all that it\n"
         "starts:");
    settings_print_help();
    settings_print_option("report FILE", "when PROGRAM has ended, FILE says what was shared, and where: FILE.html, .json or .txt;"
                                         " it is `cowshim profile --apply -o FILE`");
    settings_print_option("help", "this text");
    puts("\n"
         "Exit code: that of PROGRAM; 125 if the command line is wrong, 126 if PROGRAM\n"
         "or the library is there but cannot be used, 127 if it is not there. See also\n"
         "cowshim(1) and libcowshim(7).");
    return EXIT_SUCCESS;
}

/* -1: go on at argv[optind]. Otherwise the exit code. */
static int parse(int argc, char **argv, const char **report)
{
    struct option options[CONFIG_COUNT + 3] = {0};
    int found;

    settings_add_options(options);
    options[CONFIG_COUNT] = (struct option){"help", no_argument, NULL, 'h'};
    options[CONFIG_COUNT + 1] = (struct option){"report", required_argument, NULL, OPTION_REPORT};
    /* The + stops at PROGRAM: its options are not ours. */
    while ((found = options_next(argc, argv, "+:h", options)) != -1) {
        if (found == 'h')
            return help_print();
        if (found == OPTION_REPORT) {
            *report = optarg;
            continue;
        }
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

int command_run(int argc, char **argv)
{
    const char *report = NULL;
    int code = parse(argc, argv, &report);

    if (code >= 0)
        return code;
    return report != NULL ? profile_run(argv + optind, true, report) : launch(argv + optind, NULL);
}
