/* SPDX-License-Identifier: MIT */
/* A library with an array of its own, to be registered and then closed. */
extern unsigned char api_library_array[512 * 4096];

unsigned char api_library_array[512 * 4096] __attribute__((aligned(4096)));
