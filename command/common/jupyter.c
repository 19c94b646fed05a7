/* SPDX-License-Identifier: MIT */
/* cowshim jupyter install [OPTION]...: the Python module does it, which knows its interpreter; it is told where the library is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/common/command.h"
#include "command/common/library.h"

#define MODULE "/cowshim/jupyter.py"
#define BUILT "/src/.libs/"

/* Its arguments: our folder of modules, which comes behind those that this Python has, and the words for the module. */
static char code[] = "import sys\n"
                     "sys.path[:1] = []\n"
                     "sys.path.append(sys.argv[1])\n"
                     "try:\n"
                     "    import cowshim.jupyter\n"
                     "except ImportError:\n"
                     "    print('cowshim: error: ' + sys.executable + ' has no module cowshim; install python3-cowshim, or the wheel '\n"
                     "          'that tools/wheel makes', file=sys.stderr)\n"
                     "    sys.exit(127)\n"
                     "sys.exit(cowshim.jupyter.main(sys.argv[2:]))\n";

/* In a source tree the modules lie beside the folder that the library was built in. */
static char *modules_of(const char *library)
{
    const char *built = strstr(library, BUILT);
    char *folder = NULL, *module = NULL;

    if (built == NULL || asprintf(&folder, "%.*s/../python", (int)(built - library), library) < 0)
        return strdup(PYTHONMODULESDIR);
    if (asprintf(&module, "%s" MODULE, folder) < 0 || access(module, R_OK) != 0) {
        free(folder);
        folder = strdup(PYTHONMODULESDIR);
    }
    free(module);
    return folder;
}

int command_jupyter(int argc, char **argv)
{
    static char python[] = "python3", option[] = "-c";
    char **words = calloc((size_t)argc + 5, sizeof *words);
    char *library;
    int status = library_find(&library);

    if (status != 0)
        return status;
    if (words == NULL || setenv("COWSHIM_LIBRARY", library, 1) != 0 || (words[3] = modules_of(library)) == NULL) {
        message_error("%s", strerror(errno));
        return EXIT_USAGE;
    }
    words[0] = python;
    words[1] = option;
    words[2] = code;
    memcpy(words + 4, argv + 1, (size_t)argc * sizeof *words);
    execvp(python, words);
    message_error("python3 cannot be run: %s", strerror(errno));
    return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
