/* SPDX-License-Identifier: MIT */
/* Looks at the file that will really run, through scripts and env(1), and says where the shim will not be active, and
   why. */
#ifndef COWSHIM_COMMAND_TARGET_H
#define COWSHIM_COMMAND_TARGET_H

#include <stdbool.h>

#include "command/common/elf_file.h"

/* False: the program could not even start with the library preloaded, so leave it alone. What cannot be read is not
   judged. */
bool target_check(const char *path, const struct elf_file *library);

#endif
