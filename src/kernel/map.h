/* SPDX-License-Identifier: MIT */
/* Changing what is mapped. All ranges are page-aligned, inside memory that the caller owns; each call returns 0 or -errno and on
   an error has changed nothing (mmap(MAP_FIXED) replaces atomically: other threads see old or new, never a gap). */
#ifndef COWSHIM_KERNEL_MAP_H
#define COWSHIM_KERNEL_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A private, writable view of a file, over whatever is there. */
int map_file(uintptr_t start, size_t size, int fd, uint64_t offset);
/* Fresh anonymous zero memory over whatever is there; huge: with the program's MADV_HUGEPAGE. */
int map_zero(uintptr_t start, size_t size, bool huge);
/* Drops the pages of anonymous memory; it reads as zero afterwards. */
int map_discard(uintptr_t start, size_t size);
/* Moves the pages of one VMA to another place and leaves the source mapped but empty (MREMAP_DONTUNMAP, Linux 5.7 for
   anonymous memory, 5.13 for files). */
int map_move(uintptr_t from, uintptr_t to, size_t size);
/* Maps anonymous memory that belongs to the caller alone, and unmaps it. 0 or -errno. */
int map_temporary(size_t size, uintptr_t *start);
void map_end_temporary(uintptr_t start, size_t size);
/* Puts such memory over another range in one step; the temporary place is gone then. */
int map_replace(uintptr_t temporary, uintptr_t target, size_t size);
/* What the program may do with its memory, in bits. map_access asks for one page, without /proc and without changing it, and does
   not tell executable; map_protect is what gives the program its protection back, and so never made to fail. */
#define ACCESS_READ 1u
#define ACCESS_WRITE 2u
#define ACCESS_EXECUTE 4u
#define ACCESS_USUAL (ACCESS_READ | ACCESS_WRITE)
unsigned map_access(uintptr_t page);
bool map_readable(uintptr_t page); /* unlike the above leaves a page that is shared with a file what it is */
int map_protect(uintptr_t start, size_t size, unsigned access);
/* Whether some of the range may be locked in memory: true also where the kernel does not tell. */
bool map_locked(uintptr_t start, size_t size);
/* Makes every page of the range present for reading (MADV_POPULATE_READ, Linux 5.14). */
int map_populate_read(uintptr_t start, size_t size);
/* Makes every page of the range the process's own, without a change of contents (MADV_POPULATE_WRITE, 5.14). -EINVAL where the kernel
   does not know it, or something in the range cannot be written. */
int map_populate_write(uintptr_t start, size_t size);
/* VMAs that the process may have (vm.max_map_count). */
size_t map_limit(void);

#endif
