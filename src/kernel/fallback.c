/* SPDX-License-Identifier: MIT */
#include "kernel/fallback.h"

#include <stddef.h>

#include "base/config.h"

#include "base/poison.h"

static const char *const words[] = {
#define FALLBACK(member, word, ...) word,
#include "kernel/fallbacks.def"
};

bool fallback_forced(enum fallback fallback)
{
    return config_internal(words[fallback], NULL);
}
