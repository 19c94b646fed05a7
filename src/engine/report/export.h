/* SPDX-License-Identifier: MIT */
/* Keeps the exported page (export_page.h). It is opened with the first block, once in each process; where that fails nobody sees
   the process, and nothing else happens. What is in it is never read back, but for the counters, which live there.
   A child begins with none: whatever is called before export_after_fork() leaves the parent's page alone. */
#ifndef COWSHIM_ENGINE_EXPORT_H
#define COWSHIM_ENGINE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/report/export_page.h"

/* Whether this process has not tried to open its page yet. */
bool export_asleep(void);
/* Under the registry lock, with every block listed afterwards. */
void export_open(void);
void export_after_fork(void);

/* Under the registry lock. A slot is a number from 1 on; 0 stands for none, and is accepted. */
unsigned export_add(uintptr_t start, size_t size, unsigned flags);
void export_change(unsigned slot, size_t size, unsigned flags);
void export_copied(unsigned slot, uintptr_t from, const void *caller);
void export_remove(unsigned slot);

/* export_list.c keeps the list of the blocks in the page. The page that is open, or NULL; a child that we have not noticed yet still
   shows the parent's, which is none. */
struct export_page *export_page_now(void);
/* Makes room for one more page of slots at this offset. 0 or -errno. */
int export_extend(size_t offset);
/* The page is new: its list is empty. Under the registry lock. */
void export_list_begin(struct export_page *page);

/* To be called at the end of an operation that may have opened or closed descriptors. */
void export_note_descriptors(void);

#endif
