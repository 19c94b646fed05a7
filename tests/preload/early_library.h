/* SPDX-License-Identifier: MIT */
/* What the constructor of early_library.c leaves behind. */
#ifndef COWSHIM_TESTS_PRELOAD_EARLY_LIBRARY_H
#define COWSHIM_TESTS_PRELOAD_EARLY_LIBRARY_H

#define EARLY_SIZE (((size_t)1 << 20) + 5000)
#define EARLY_SMALL ((size_t)1000)

struct early {
    unsigned char *small, *original, *copy; /* painted with salts 2, 3 and 3 */
    int broken;
    unsigned long calls;
};

#endif
