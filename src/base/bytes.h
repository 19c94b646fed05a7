/* SPDX-License-Identifier: MIT */
/* Plain copies and fills for code below src/shim: the next memcpy, memmove and memset, never ours. */
#ifndef COWSHIM_BASE_BYTES_H
#define COWSHIM_BASE_BYTES_H

#include <stddef.h>

/* The ranges do not overlap, as for memcpy. */
void bytes_copy(void *to, const void *from, size_t size);
void bytes_move(void *to, const void *from, size_t size);
void bytes_fill(void *to, int value, size_t size);

#endif
