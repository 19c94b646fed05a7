/* SPDX-License-Identifier: MIT */
/* The configuration: one table (config.def), read once from the environment. A bad value is named on stderr and its default
   taken; nothing here fails. */
#ifndef COWSHIM_BASE_CONFIG_H
#define COWSHIM_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_mode { MODE_AUTO, MODE_REGISTERED, MODE_OFF };
enum config_scope { SCOPE_MALLOC, SCOPE_ANON };
enum config_huge { HUGE_AUTO, HUGE_OFF };
enum config_policy { POLICY_BALANCED, POLICY_MEMORY, POLICY_SPEED };

/* A choice is its index, a size is in bytes, a text is the environment's own string. */
union config_value {
    unsigned choice;
    size_t size;
    const char *text;
};

enum config_type { CONFIG_CHOICE, CONFIG_SIZE, CONFIG_TEXT };

struct config_option {
    enum config_type type;
    const char *variable;
    const char *fallback;
    size_t smallest, largest;
    const char *choices;
    const char *help;
};

enum config_index {
#define OPTION(type, member, ...) CONFIG_INDEX_##member,
#include "base/config.def"
#undef OPTION
    CONFIG_COUNT
};

struct config {
    union config_value value[CONFIG_COUNT];
};

extern struct config config;

#define config_choice(member) (config.value[CONFIG_INDEX_##member].choice)
#define config_size(member) (config.value[CONFIG_INDEX_##member].size)
#define config_text(member) (config.value[CONFIG_INDEX_##member].text)

void config_options(struct config_option options[CONFIG_COUNT]);
/* 0, or -EINVAL for a text that is no value of the option, or -ERANGE for a size out of bounds. */
int config_parse(const struct config_option *option, const char *text, union config_value *value);
void config_read(void);
/* Writes the word for the value of a choice, cut to size - 1 bytes. */
void config_name(enum config_index which, char *name, size_t size);

/* Switches for tests: COWSHIM_INTERNAL=name,name=number,… turns kernel features off or makes the n-th system call of ours fail
   (src/README.md lists them). False and zero when it is not there. */
bool config_internal(const char *name, unsigned long *number);
/* Whether a tunable of glibc's was set for this process. */
bool config_glibc_tunable(const char *name);

#endif
