/* SPDX-License-Identifier: MIT */
/* The command `cowshim`: finds the sub-command and leaves the rest to it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "command/common/command.h"

static const struct command commands[] = {
#define HERE(function) function
#define TOOLS(function) NULL
#define COMMAND(name, place, help) {#name, help, place(command_##name)},
#include "command/common/commands.def"
#undef COMMAND
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int help_print(void)
{
    puts("Usage: cowshim COMMAND [OPTION]...\n"
         "Makes copies of large arrays copy-on-write, in programs as they are.\n"
         "\n"
         "Commands:");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    puts("  help       the help of a command\n"
         "\n"
         "Options:\n"
         "  --help     this text\n"
         "  --version  name and version\n"
         "\n"
         "'cowshim help COMMAND' says more about a command; see also cowshim(1) and\n"
         "libcowshim(7).");
    return EXIT_SUCCESS;
}

static int version_print(void)
{
    puts("cowshim " PACKAGE_VERSION);
    return EXIT_SUCCESS;
}

static int start(const struct command *command, int argc, char **argv)
{
    return command->function == NULL ? tools_become(command->name, argv) : command_call(command, argc, argv);
}

static int unknown(const char *what, const char *name)
{
    const char *names[COMMANDS + 3] = {"help", "--help", "--version"};
    const char *near;

    for (size_t i = 0; i < COMMANDS; i++)
        names[i + 3] = commands[i].name;
    near = near_find(name, names, COMMANDS + 3);
    if (near != NULL)
        message_error("%s is not %s of cowshim; did you mean %s?", name, what, near);
    else
        message_error("%s is not %s of cowshim", name, what);
    return message_usage("cowshim");
}

/* `cowshim help run` is `cowshim run --help`: there is one help for each command, and it comes from the command. */
static int help_of(int argc, char **argv)
{
    char option[] = "--help";
    char *help[] = {NULL, option, NULL};
    const struct command *command;

    if (argc < 2 || strcmp(argv[1], "help") == 0)
        return help_print();
    command = command_find(argv[1]);
    return command == NULL ? unknown("a command", argv[1]) : start(command, 2, help);
}

static int dispatch(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;
    const struct command *command;

    if (word == NULL) {
        message_error("no command is given");
        return message_usage("cowshim");
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return help_print();
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return version_print();
    if (strcmp(word, "help") == 0)
        return help_of(argc - 1, argv + 1);
    if (*word == '-')
        return unknown("an option", word);
    command = command_find(word);
    return command == NULL ? unknown("a command", word) : start(command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    command_begin();
    return command_end(dispatch(argc, argv));
}
