/* SPDX-License-Identifier: MIT */
/* cowshim run [OPTION]... [--] PROGRAM [ARGUMENT]...: sets the environment and becomes the program. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/launch.h"
#include "command/trail/profile.h"
#include "command/common/settings.h"

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

int command_run(int argc, char **argv)
{
    const char *report = NULL;
    const struct settings_option own[] = {{"report", 0, true, &report}};
    int code = settings_parse(argc, argv, help_print, own, 1);

    if (code >= 0)
        return code;
    return report != NULL ? profile_run(argv + optind, true, report) : launch(argv + optind, NULL);
}
