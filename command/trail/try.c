/* SPDX-License-Identifier: MIT */
/* cowshim try [OPTION]... [--] PROGRAM [ARGUMENT]...: `cowshim profile` for those who want to know one thing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/settings.h"
#include "command/trail/profile.h"

static int help_print(void)
{
    puts("Usage: cowshim try [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
         "Runs PROGRAM as it is, and says in one sentence on stderr whether the shim\n"
         "would lower its peak of memory, how to turn it on, and where the page is that\n"
         "shows more. What follows PROGRAM is PROGRAM's.\n"
         "\n"
         "Options:");
    settings_print_option("output FILE, -o FILE", "where the page goes (FILE.html; .json, .folded and .txt as with `cowshim profile`);"
                                                  " otherwise it is in $TMPDIR or /tmp");
    settings_print_option("help", "this text");
    puts("\n"
         "And those of `cowshim run`; each sets the variable that it names:");
    settings_print_help();
    puts("\n"
         "Exit code: as with `cowshim profile`, that of PROGRAM.");
    return EXIT_SUCCESS;
}

/* Others may write to that folder, too: the file must be a new one. */
static char *make_page(const char *program)
{
    static const char suffix[] = ".html";
    const char *place = getenv("TMPDIR");
    const char *slash = strrchr(program, '/');
    char *path;
    int fd;

    if (asprintf(&path, "%s/cowshim-%.40s-XXXXXX%s", place != NULL && *place == '/' ? place : "/tmp", slash == NULL ? program : slash + 1,
                 suffix) < 0)
        return NULL;
    fd = mkstemps(path, sizeof suffix - 1);
    if (fd >= 0) {
        close(fd);
        return path;
    }
    free(path);
    return NULL;
}

int command_try(int argc, char **argv)
{
    const char *output = NULL;
    char *page = NULL;
    const struct settings_option own[] = {{"output", 'o', true, &output}};
    int code = settings_parse(argc, argv, help_print, own, 1);

    if (code >= 0)
        return code;
    if (output == NULL)
        output = page = make_page(argv[optind]);
    if (output == NULL) {
        message_error("no page can be written to $TMPDIR or /tmp; name one with -o");
        return EXIT_USAGE;
    }
    code = profile_try(argv + optind, output);
    free(page);
    return code;
}
