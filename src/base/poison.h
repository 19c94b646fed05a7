/* SPDX-License-Identifier: MIT */
/* Included last by every .c file below src/shim: a name that we interpose is a compile error there, since a call to it would
   come back to us. Bytes are moved with base/bytes.h, memory comes from base/arena.h, system calls go through kernel/sys.h. */
#ifndef COWSHIM_BASE_POISON_H
#define COWSHIM_BASE_POISON_H

#ifdef __GNUC__
#pragma GCC poison malloc calloc realloc reallocarray posix_memalign aligned_alloc memalign valloc pvalloc
#pragma GCC poison memcpy memmove mempcpy memset bcopy bzero explicit_bzero wmemcpy wmemmove wmempcpy
#pragma GCC poison madvise mprotect munmap mremap mlock munlock mlockall mmap close fcntl fstat dup dup2 dup3 closefrom
#ifdef __GLIBC__ /* musl has one name for both: these are macros there */
#pragma GCC poison mmap64 fcntl64 fstat64
#endif
#endif

#endif
