/* SPDX-License-Identifier: MIT */
#include "base/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/near.h"
#include "base/page.h"

#include "base/poison.h"

struct config config;

void config_options(struct config_option options[CONFIG_COUNT])
{
    struct config_option *o = options;

#define OPTION(kind, member, name, preset, low, high, list, text) \
    o->type = CONFIG_##kind; \
    o->variable = name; \
    o->fallback = preset; \
    o->smallest = low; \
    o->largest = high; \
    o->choices = list; \
    o->help = text; \
    o++;
#include "base/config.def"
#undef OPTION
}

static int parse_choice(const char *choices, const char *text, unsigned *index)
{
    size_t length = strlen(text);

    for (*index = 0;; ++*index) {
        size_t word = strcspn(choices, "|");

        if (word == length && strncmp(choices, text, length) == 0)
            return 0;
        choices += word;
        if (*choices++ == '\0')
            return -EINVAL;
    }
}

static int unit_shift(char unit)
{
    switch (unit) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return -1;
    }
}

static int parse_size(const struct config_option *option, const char *text, size_t *size)
{
    char *end;
    unsigned long long number;
    int shift = 0;
    int saved = errno;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0) {
        errno = saved;
        return -ERANGE;
    }
    errno = saved;
    if (*end != '\0') {
        shift = unit_shift(*end);
        /* 1M, 1MB and 1MiB are the same: people write all three. */
        if (shift < 0 || (end[1] != '\0' && strcmp(end + 1, "B") != 0 && strcmp(end + 1, "iB") != 0))
            return -EINVAL;
    }
    if (number > (SIZE_MAX >> shift))
        return -ERANGE;
    *size = (size_t)number << shift;
    return *size < option->smallest || *size > option->largest ? -ERANGE : 0;
}

int config_parse(const struct config_option *option, const char *text, union config_value *value)
{
    switch (option->type) {
    case CONFIG_CHOICE:
        return parse_choice(option->choices, text, &value->choice);
    case CONFIG_SIZE:
        return parse_size(option, text, &value->size);
    case CONFIG_TEXT:
        value->text = text;
        return 0;
    }
    return -EINVAL;
}

static void complain(const struct config_option *option, const char *text, int error)
{
    if (error == -ERANGE)
        log_error("%s=%.200s is out of bounds (%zu to %zu bytes); using %s", option->variable, text, option->smallest, option->largest,
                  option->fallback);
    else if (option->type == CONFIG_CHOICE)
        log_error("%s=%.200s is not one of %s; using %s", option->variable, text, option->choices, option->fallback);
    else
        log_error("%s=%.200s is not a size such as 65536, 64K, 1M or 2G; using %s", option->variable, text, option->fallback);
}

/* What others read: the command, its profile, tests. */
static bool belongs_to_others(const char *name)
{
    static const char *const names[] = {"INTERNAL", "LIBRARY", "PROFILE", "LIB", "BUILD"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* A variable that nobody reads is a mistyped one, and nothing else would show that it does nothing. */
static void name_unknown(const struct config_option options[CONFIG_COUNT])
{
    static const char prefix[] = "COWSHIM_";
    const char *known[CONFIG_COUNT];

    for (unsigned i = 0; i < CONFIG_COUNT; i++)
        known[i] = options[i].variable + sizeof prefix - 1;
    for (char **at = environ; at != NULL && *at != NULL; at++) {
        const char *end = strchr(*at, '=');
        char name[40] = "";
        const char *near;

        if (strncmp(*at, prefix, sizeof prefix - 1) != 0 || end == NULL || (size_t)(end - *at) >= sizeof prefix - 1 + sizeof name)
            continue;
        for (const char *from = *at + sizeof prefix - 1; from < end; from++)
            name[from - *at - (sizeof prefix - 1)] = *from;
        near = near_find(name, known, CONFIG_COUNT);
        if (near != NULL && strcmp(near, name) == 0)
            continue;
        if (near != NULL && !belongs_to_others(name))
            log_warn("there is no variable %s%s; did you mean %s%s?", prefix, name, prefix, near);
        else if (!belongs_to_others(name))
            log_warn("there is no variable %s%s: it does nothing", prefix, name);
    }
}

void config_read(void)
{
    struct config_option options[CONFIG_COUNT];

    config_options(options);
    for (unsigned i = 0; i < CONFIG_COUNT; i++) {
        const char *text = getenv(options[i].variable);
        int error = 0;

        if (text != NULL && *text != '\0') {
            error = config_parse(&options[i], text, &config.value[i]);
            if (error != 0)
                complain(&options[i], text, error);
        }
        if (text == NULL || *text == '\0' || error != 0)
            config_parse(&options[i], options[i].fallback, &config.value[i]);
    }
    log_set_level(config_choice(log));
    name_unknown(options);
}

void config_name(enum config_index which, char *name, size_t size)
{
    struct config_option options[CONFIG_COUNT];
    const char *word;
    size_t length;

    config_options(options);
    word = options[which].choices;
    for (unsigned i = config.value[which].choice; i > 0; i--)
        word = strchr(word, '|') + 1;
    length = strcspn(word, "|");
    if (length > size - 1)
        length = size - 1;
    bytes_copy(name, word, length);
    name[length] = '\0';
}

bool config_internal(const char *name, unsigned long *number)
{
    const char *text = getenv("COWSHIM_INTERNAL");
    size_t length = strlen(name);

    while (text != NULL && *text != '\0') {
        size_t word = strcspn(text, ",");

        if (word >= length && strncmp(text, name, length) == 0 && (word == length || text[length] == '=')) {
            if (number != NULL)
                *number = word > length ? strtoul(text + length + 1, NULL, 10) : 0;
            return true;
        }
        text += word;
        text += *text == ',';
    }
    return false;
}

bool config_glibc_tunable(const char *name)
{
    const char *tunables = getenv("GLIBC_TUNABLES");

    return tunables != NULL && strstr(tunables, name) != NULL;
}
