/* SPDX-License-Identifier: MIT */
/* Core dumps leave out clean pages of private file mappings, which is what our views are to the kernel. */
#ifndef COWSHIM_KERNEL_COREDUMP_H
#define COWSHIM_KERNEL_COREDUMP_H

/* Sets the bit for private file mappings in /proc/self/coredump_filter (core(5)); children inherit it. Says so if it cannot. */
void coredump_include_files(void);

#endif
