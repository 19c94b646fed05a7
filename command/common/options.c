/* SPDX-License-Identifier: MIT */
#include "command/common/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "command/common/command.h"

#define MOST 32

static const char *find_near(const char *word, const struct option *options)
{
    const char *names[MOST];
    size_t count = 0;

    while (count < MOST && options[count].name != NULL) {
        names[count] = options[count].name;
        count++;
    }
    return near_find(word, names, count);
}

/* An abbreviation that several options begin with. */
static bool is_ambiguous(const char *word, const struct option *options)
{
    unsigned count = 0;

    for (; options->name != NULL; options++)
        count += strncmp(options->name, word, strlen(word)) == 0;
    return count > 1;
}

static void complain_long(const char *title, const char *word, const struct option *options)
{
    char *name = strndup(word, strcspn(word, "="));
    const char *near = name == NULL ? NULL : find_near(name + 2, options);

    if (name == NULL)
        return;
    if (optopt != 0)
        message_error("option '%s' of %s takes no value", name, title);
    else if (near == NULL && is_ambiguous(name + 2, options))
        message_error("'%s' is the beginning of several options of %s", name, title);
    else if (near == NULL)
        message_error("'%s' is not an option of %s", name, title);
    else
        message_error("'%s' is not an option of %s; did you mean --%s?", name, title, near);
    free(name);
}

int options_next(int argc, char **argv, const char *letters, const struct option *options)
{
    int found;

    opterr = 0;
    found = getopt_long(argc, argv, letters, options, NULL);
    if (found != '?' && found != ':')
        return found;
    if (found == ':')
        message_error("option '%s' needs a value", argv[optind - 1]);
    else if (strncmp(argv[optind - 1], "--", 2) == 0)
        complain_long(argv[0], argv[optind - 1], options);
    else
        message_error("'-%c' is not an option of %s", optopt, argv[0]);
    return '?';
}
