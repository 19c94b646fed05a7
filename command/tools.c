/* SPDX-License-Identifier: MIT */
/* The program cowshim-tools: what `cowshim` becomes for the sub-commands that need more than libc. */
#include <string.h>

#include "command/common/command.h"

static const struct command commands[] = {
#define HERE(name, help)
#define TOOLS(name, help) {#name, help, command_##name},
#define COMMAND(name, place, help) place(name, help)
#include "command/common/commands.def"
#undef COMMAND
};

static int dispatch(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return command_call(&commands[i], argc - 1, argv + 1);
    message_error("this is a part of the command cowshim, which starts it");
    return message_usage("cowshim");
}

int main(int argc, char **argv)
{
    command_begin();
    return command_end(dispatch(argc, argv));
}
