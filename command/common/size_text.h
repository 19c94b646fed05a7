/* SPDX-License-Identifier: MIT */
/* Sizes as people read them: "1.95 GiB", "512 KiB", "-3.0 MiB". */
#ifndef COWSHIM_COMMAND_SIZE_TEXT_H
#define COWSHIM_COMMAND_SIZE_TEXT_H

#include <stdint.h>

#define SIZE_TEXT 24

const char *size_text(int64_t bytes, char text[SIZE_TEXT]);
/* "3 min", "2 h 5 min": a time that something has lasted. */
const char *time_text(uint64_t seconds, char text[SIZE_TEXT]);

#endif
