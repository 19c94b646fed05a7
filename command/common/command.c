/* SPDX-License-Identifier: MIT */
#include "command/common/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/page.h"

void command_begin(void)
{
    /* The bounds in the table of options depend on it. */
    page_init();
}

int command_end(int code)
{
    /* A full disk or a closed pipe behind stdout is a failure too. */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    message_error("stdout: %s", strerror(errno));
    return EXIT_USAGE;
}

int command_call(const struct command *command, int argc, char **argv)
{
    static char title[40];

    snprintf(title, sizeof title, "cowshim %s", command->name);
    argv[0] = title;
    return command->function(argc, argv);
}
