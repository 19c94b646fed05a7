/* SPDX-License-Identifier: MIT */
/* In-memory files for page images. Two kinds: STOREFILE_HUGE lies on a private tmpfs with huge pages, mounted without privilege
   in a user namespace of its own; it holds whole 2 MiB units only, so that it never allocates more than is written.
   STOREFILE_SMALL is a memfd. Sources: mount_namespaces(7), user_namespaces(7), tmpfs(5), memfd_create(2). */
#ifndef COWSHIM_KERNEL_STOREFILE_H
#define COWSHIM_KERNEL_STOREFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/descriptor.h"

enum storefile_kind { STOREFILE_SMALL, STOREFILE_HUGE, STOREFILE_KINDS };

/* COWSHIM_INTERNAL=memfd-off: no small stores; tmpfs-off (or COWSHIM_HUGE=off): no huge ones. */
void storefile_init(void);
/* Whether the kernel counts a store beside the memory that shows it (vm.overcommit_memory=2). */
bool storefile_counted(void);
/* Whether huge stores can be had; mounts and measures at the first call. */
bool storefile_huge_available(void);
/* Whether that they are not is for want of pagemap_names_huge(). */
bool storefile_huge_unnamed(void);

int storefile_open(enum storefile_kind kind, struct descriptor *file); /* 0 or -errno */
/* Makes the file this long. Refuses (-EFBIG) what RLIMIT_FSIZE forbids, for the kernel would send SIGXFSZ. */
int storefile_extend(int fd, uint64_t size);
int storefile_write(int fd, uintptr_t from, size_t size, uint64_t offset); /* all of it, or -errno */
int storefile_read(int fd, void *to, size_t size, uint64_t offset);        /* the same */
/* Gives pages back; they read as zero afterwards. Only for pages that nobody can see. */
int storefile_punch(int fd, uint64_t offset, uint64_t size);
/* The size of the largest page that such a file may have. When a part of a page is punched its bytes become zero, also for those who only
   hold the page, as pipes and sockets do; what is punched whole keeps its bytes for them. */
size_t storefile_largest_page(enum storefile_kind kind);
int storefile_allocated(int fd, uint64_t *bytes);

/* storefile_tmpfs.c */
int tmpfs_mount(void); /* a mount descriptor, or -errno */
int tmpfs_open(int mount);

#endif
