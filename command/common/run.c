/* SPDX-License-Identifier: MIT */
/* cowshim run [OPTION]... [--] PROGRAM [ARGUMENT]...: sets the environment and becomes the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/launch.h"
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

/* The variables are set. */
static int run_and_report(char **program, const char *report)
{
    static char title[] = "cowshim run", apply[] = "--apply", output[] = "--output", end[] = "--";
    size_t count = 0;
    char **words;

    while (program[count] != NULL)
        count++;
    words = calloc(count + 6, sizeof *words);
    if (words == NULL)
        return EXIT_USAGE;
    words[0] = title;
    words[1] = apply;
    words[2] = output;
    words[3] = strdup(report);
    words[4] = end;
    memcpy(words + 5, program, count * sizeof *words);
    return tools_become("profile", words);
}

int command_run(int argc, char **argv)
{
    const char *report = NULL;
    const struct settings_option own[] = {{"report", 0, true, &report}};
    int code = settings_parse(argc, argv, help_print, own, 1);

    if (code >= 0)
        return code;
    return report != NULL ? run_and_report(argv + optind, report) : launch(argv + optind, NULL);
}
