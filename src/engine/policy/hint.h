/* SPDX-License-Identifier: MIT */
/* Copies that were judged to be better plain, and are made again and again: known without a lock and without a system call. That a hint
   is out of date does no harm, a plain copy is always right. */
#ifndef COWSHIM_ENGINE_HINT_H
#define COWSHIM_ENGINE_HINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True: plain, without a look. Of copies that are alike every n-th is judged anew, n being larger the longer they have been alike. */
bool hint_plain(uintptr_t to, uintptr_t from, size_t size);
/* This one was judged, and is plain. */
void hint_give(uintptr_t to, uintptr_t from, size_t size);
/* Or is not. */
void hint_take(uintptr_t to, uintptr_t from, size_t size);
/* The program said what it expects of its copies. */
void hint_forget_all(void);

#endif
