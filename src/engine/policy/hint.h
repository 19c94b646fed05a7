/* SPDX-License-Identifier: MIT */
/* Hints: a copy that was judged to be better plain is recognized when it is made again, and so is a fill of memory that showed no store
   (its `from` is extent_firsts()), without a lock and without a system call. An outdated hint does no harm, because what is plain is
   always right. */
#ifndef COWSHIM_ENGINE_HINT_H
#define COWSHIM_ENGINE_HINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True: copy plainly without asking the policy. Every n-th copy of a kind is judged again, and n grows with each judgement that was the
   same. */
bool hint_plain(uintptr_t to, uintptr_t from, size_t size);
/* This copy was judged to be better plain. */
void hint_give(uintptr_t to, uintptr_t from, size_t size);
/* This copy was judged to be worth sharing. */
void hint_take(uintptr_t to, uintptr_t from, size_t size);
/* Forgets all hints, because the program said what it expects of its copies (cowshim_expect_rewrite() and others). */
void hint_forget_all(void);

#endif
