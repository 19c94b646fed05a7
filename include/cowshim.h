/* SPDX-License-Identifier: MIT */
/* cowshim.h: the control interface of libcowshim.so, for programs that know their buffers.

   Include it and link with nothing. Where the shim is preloaded (LD_PRELOAD=libcowshim.so, `cowshim run`), the functions below are
   the shim's; where it is not, or COWSHIM_MODE=off, or the program is static, they are short inline ones that do the same work by
   plain copies and plain comparisons. A program is written once and gives the same results in all of these.

   Words. A block is a range of memory whose copies can be shared: an allocation of malloc and its kin of at least
   COWSHIM_MIN_SIZE, a range that the program registered, or with COWSHIM_SCOPE=anon a private anonymous mapping of the program.
   With COWSHIM_MODE=registered only registered ranges and what cowshim_dup() made are blocks. A page of a block is a hole (never
   written, reads as zero), private (belongs to the block alone) or shared (shows a store: an image that never changes and that
   other blocks may show as well). Contents are at all times what they would be without the shim; only what memory is spent differs.

   Units. Lengths, offsets and results are bytes. Ranges need not be aligned: what can be shared are the whole pages inside.

   Errors. A function that fails returns -1 (cowshim_dup: NULL) and sets errno to one of the values listed with it; nothing was
   changed then, unless its text says otherwise. A function that succeeds leaves errno alone. Without the shim only EINVAL, ENOMEM
   and ENOSYS are found. Every function fails with
     EINVAL  an address is null, a length is zero, a range wraps around, a flag is unknown;
     EAGAIN  called from a signal handler that interrupted the shim, in a vfork(2) child, or in a child that a raw clone(2) made
             while another thread was inside the shim: nothing can be looked up there.

   Threads. Any function may be called by any thread at any time; each says what happens when others write to the same memory.
   None is a cancellation point. Only cowshim_active() and cowshim_version() may be called from signal handlers.

   Fork. Blocks, registrations, exclusions and hints are inherited by children of fork(2) and belong to each process from then on:
   what one of them does is never seen by the other. Counters of cowshim_stats() begin at zero in a child. */
#ifndef COWSHIM_H
#define COWSHIM_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The level of this interface. It grows when something is added; nothing of it is ever taken away or given another meaning. */
#define COWSHIM_API 2

/* Flags of cowshim_copy(): exactly one of them. */
#define COWSHIM_REQUIRE 1u     /* fail with a reason rather than copy bytes */
#define COWSHIM_ALLOW_PLAIN 2u /* copy plainly what cannot be shared */

/* Flags of cowshim_diff(). */
#define COWSHIM_DIFF_NO_READ 1u /* report what may differ, without reading any of it */

/* Flags of cowshim_merge(). */
#define COWSHIM_MERGE_ALL 1u /* read every page, also where a sample of them finds none that is equal */

/* Bytes of a range by the state of their page; the three add up to its length. */
struct cowshim_pages {
    uint64_t hole_bytes;    /* no page: reads as zero and costs nothing */
    uint64_t private_bytes; /* pages of this range alone, in memory or swapped out */
    uint64_t shared_bytes;  /* pages that show a store or a file; what they cost is counted once for all that show them */
};

/* What the process has and what was done since it started. Later levels add fields at the end. */
struct cowshim_figures {
    uint64_t blocks;          /* live now */
    uint64_t registered;      /* of these by cowshim_register() */
    uint64_t views;           /* ranges of blocks that show a store, now */
    uint64_t stores;          /* open now */
    uint64_t store_bytes;     /* memory that they take, now */
    uint64_t copies_shared;   /* copies that were shared, whole or in part */
    uint64_t bytes_shared;    /* bytes of these that were mapped and not copied */
    uint64_t copies_plain;    /* copies that were looked at and made plainly, whole or in part */
    uint64_t bytes_plain;     /* bytes of these that were copied */
    uint64_t sealed_bytes;    /* bytes that moved into stores */
    uint64_t reclaimed_bytes; /* bytes of stores that nobody showed any more and that were given back */
    /* since level 2: */
    uint64_t merged_bytes; /* bytes that cowshim_merge() found to be equal and made one */
};

/* What cowshim_diff() calls for each range that differs, in rising order: offset and length from the start of the two ranges.
   It runs with no lock of the shim held and may call anything, write to both ranges, even leave by longjmp() or an exception.
   Nonzero ends the search. */
typedef int cowshim_diff_callback(void *context, size_t offset, size_t length);

/* How the functions below find the shim; nothing for programs to use. Entries are only ever added at the end. */
struct cowshim_table {
    unsigned level; /* COWSHIM_API of the shim */
    int (*active)(void);
    const char *(*version)(void);
    int (*register_range)(void *addr, size_t length, unsigned flags);
    int (*unregister_range)(void *addr, size_t length);
    void *(*dup)(const void *addr, size_t length);
    ssize_t (*copy)(void *dst, const void *src, size_t length, unsigned flags);
    ssize_t (*seal)(void *addr, size_t length);
    int (*exclude)(void *addr, size_t length);
    int (*include)(void *addr, size_t length);
    int (*expect_rewrite)(void *addr, size_t length);
    int (*residency)(const void *addr, size_t length, struct cowshim_pages *out);
    ssize_t (*diff)(const void *a, const void *b, size_t length, unsigned flags, cowshim_diff_callback *callback, void *context);
    int (*stats)(struct cowshim_figures *out, size_t size);
    /* since level 2: */
    ssize_t (*merge)(void *a, void *b, size_t length, unsigned flags);
};

/* What the functions do where there is no shim. */
static inline int cowshim_plain_invalid(const void *addr, size_t length)
{
    if (addr != NULL && length != 0 && length <= UINTPTR_MAX - (uintptr_t)addr)
        return 0;
    errno = EINVAL;
    return -1;
}

static inline void *cowshim_plain_dup(const void *addr, size_t length)
{
    void *block = cowshim_plain_invalid(addr, length) == 0 ? malloc(length) : NULL;

    return block == NULL ? NULL : memcpy(block, addr, length);
}

static inline ssize_t cowshim_plain_copy(void *dst, const void *src, size_t length, unsigned flags)
{
    if (cowshim_plain_invalid(dst, length) != 0 || cowshim_plain_invalid(src, length) != 0)
        return -1;
    if (flags != COWSHIM_ALLOW_PLAIN) {
        errno = flags == COWSHIM_REQUIRE ? ENOSYS : EINVAL;
        return -1;
    }
    memmove(dst, src, length);
    return 0;
}

static inline int cowshim_plain_residency(const void *addr, size_t length, struct cowshim_pages *out)
{
    if (cowshim_plain_invalid(addr, length) != 0 || cowshim_plain_invalid(out, sizeof *out) != 0)
        return -1;
    errno = ENOSYS;
    return -1;
}

/* The end of the pages, from at on, that are all the same in both, or that all differ. */
static inline size_t cowshim_plain_run(const char *a, const char *b, size_t at, size_t length, int same)
{
    const size_t unit = 4096; /* the shim goes by pages of the machine */

    while (at < length) {
        size_t step = unit - ((uintptr_t)a + at) % unit;

        if (step > length - at)
            step = length - at;
        if ((memcmp(a + at, b + at, step) == 0) != same)
            break;
        at += step;
    }
    return at;
}

static inline ssize_t cowshim_plain_diff(const void *a, const void *b, size_t length, unsigned flags, cowshim_diff_callback *callback,
                                         void *context)
{
    size_t at = 0, total = 0;

    if (cowshim_plain_invalid(a, length) != 0 || cowshim_plain_invalid(b, length) != 0)
        return -1;
    if ((flags & ~COWSHIM_DIFF_NO_READ) != 0) {
        errno = EINVAL;
        return -1;
    }
    while (at < length) {
        int read = (flags & COWSHIM_DIFF_NO_READ) == 0;
        size_t from = read ? cowshim_plain_run((const char *)a, (const char *)b, at, length, 1) : at;

        at = read ? cowshim_plain_run((const char *)a, (const char *)b, from, length, 0) : length;
        total += at - from;
        if (at > from && callback != NULL && callback(context, from, at - from) != 0) {
            errno = ECANCELED;
            return -1;
        }
    }
    return (ssize_t)total;
}

static inline ssize_t cowshim_plain_merge(const void *a, const void *b, size_t length, unsigned flags)
{
    size_t shift = (size_t)((uintptr_t)b - (uintptr_t)a);

    if (cowshim_plain_invalid(a, length) != 0 || cowshim_plain_invalid(b, length) != 0)
        return -1;
    if ((flags & ~COWSHIM_MERGE_ALL) == 0 && shift >= length && (size_t)0 - shift >= length)
        return 0;
    errno = EINVAL;
    return -1;
}

static inline int cowshim_plain_stats(struct cowshim_figures *out, size_t size)
{
    if (cowshim_plain_invalid(out, size) != 0)
        return -1;
    memset(out, 0, size);
    return 0;
}

#ifndef COWSHIM_IMPLEMENTATION /* only the shim itself says so */

const struct cowshim_table *cowshim_calls(void) __attribute__((weak));

/* The shim's calls, or NULL. A weak reference in code that does not go through the GOT is settled by the linker once and for all,
   as zero (x86-64, -fno-pie): there the GOT is asked explicitly. */
static inline const struct cowshim_table *cowshim_find(void)
{
    const struct cowshim_table *(*calls)(void);

#if defined(__x86_64__) && defined(__LP64__) && !defined(__PIC__)
    __asm__(".weak cowshim_calls\n\tmovq cowshim_calls@GOTPCREL(%%rip), %0" : "=r"(calls));
#else
    calls = cowshim_calls;
#endif
    return calls == NULL ? NULL : calls();
}

/* 1 where the shim is loaded and at work in this process, else 0 (not loaded, COWSHIM_MODE=off, not in COWSHIM_PROGRAMS).
   Async-signal-safe. The answer does not change in the life of a process, once its constructors have run. */
static inline int cowshim_active(void)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls == NULL ? 0 : calls->active();
}

/* The version of the shim that is loaded, such as "0.1.0", also where it is not at work; NULL where none is loaded.
   Async-signal-safe; the text lives as long as the process. */
static inline const char *cowshim_version(void)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls == NULL ? NULL : calls->version();
}

/* Makes copies of the range eligible: any private writable memory of the program, such as a mapped arena, a static array in .bss or
   .data, a chunk of another allocator, also memory of malloc below COWSHIM_MIN_SIZE or with COWSHIM_MODE=registered. At least one
   whole page must lie inside. Costs a walk over the mappings of the process (milliseconds): for memory that lives long. Nothing is
   moved or copied, with one exception: where pages of a file are mapped privately (.data, MAP_PRIVATE of a file), they are read in
   and become anonymous memory with the same contents, which then costs memory, and no longer follows the file.
   flags: 0.

   The range may be unmapped, moved, mapped anew or protected by the program at any time, and a library that it belongs to may be
   closed: no harm. What is unmapped or moved away, locked (mlock) or marked (MADV_DONTFORK, MADV_DONTDUMP, MADV_WIPEONFORK,
   MADV_MERGEABLE) leaves the registration; what is not readable and writable is copied plainly as long as that lasts. free() and
   realloc() of the address that was registered end the registration as well; memory that another allocator recycles should be
   unregistered before it goes back. madvise(MADV_DONTNEED) must be called through libc, not by a raw system call.
   Memory that lies in one block of malloc, or in a mapping that COWSHIM_SCOPE=anon made eligible, is a block already: 0, and
   nothing changes.

   Threads: others may read and write the range meanwhile. No other thread's running stack may lie in it.
   Returns 0, or -1 and errno:
     EINVAL      see above; no whole page in the range; flags not zero
     EFAULT      part of it is not mapped
     EACCES      part of it is not both readable and writable
     EOPNOTSUPP  part of it is MAP_SHARED, on huge pages of hugetlbfs, of a device, or marked as above
     EBUSY       part of it is locked, or is the stack of the main or of the calling thread; or pages of a file in it could not be
                 made anonymous because the process has pages pinned for I/O or its writers cannot be held off
     EEXIST      it overlaps a block without lying in it, or a registration
     ENOMEM      no memory for the record, or to make pages of a file anonymous (some may be by then, with their contents)
     ENOSYS      /proc/self/smaps or pagemap cannot be read
   Without the shim: 0. */
static inline int cowshim_register(void *addr, size_t length, unsigned flags)
{
    const struct cowshim_table *calls = cowshim_find();

    if (calls != NULL)
        return calls->register_range(addr, length, flags);
    if (flags == 0)
        return cowshim_plain_invalid(addr, length);
    errno = EINVAL;
    return -1;
}

/* Ends all registrations that lie in the range. The memory keeps its contents and becomes the program's alone: what it shares is
   copied now. Memory of malloc or of COWSHIM_SCOPE=anon is left as it is.
   Threads: as above.
   Returns 0, or -1 and errno:
     EINVAL  see above; a registration reaches out of the range
     ENOENT  no registration is in it (also when all of it was unmapped since), nor does it lie in another block
     ENOMEM  no memory for the copies, or writers cannot be held off, or pages must stay where they are (I/O by a ring): what could not
             be copied is still registered
   Without the shim: 0. */
static inline int cowshim_unregister(void *addr, size_t length)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->unregister_range(addr, length) : cowshim_plain_invalid(addr, length);
}

/* A new block with the contents of the range, for free(), sharing the whole pages of the range where it lies in a block and begins
   on a page; else it is a plain copy. The policy is not asked. With COWSHIM_MODE=registered it is a block all the same, if it has
   two pages or more.
   Threads: a write to the range by another thread meanwhile is in the copy or not, word by word, as with memcpy(3).
   Returns the block, or NULL and errno: EINVAL; ENOMEM. EAGAIN is not an error here: the copy is a plain one.
   Without the shim: malloc() and memcpy(). */
static inline void *cowshim_dup(const void *addr, size_t length)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->dup(addr, length) : cowshim_plain_dup(addr, length);
}

/* Copies length bytes from src to dst and says how many of them are shared now. Neither COWSHIM_MIN_SIZE nor the policy is asked.
   What lies outside of whole pages, and private pages of the source that lie so scattered that sharing them costs more than they
   do, is copied with either flag.
   COWSHIM_ALLOW_PLAIN: always succeeds, whatever could not be shared is copied; the ranges may overlap.
   COWSHIM_REQUIRE: fails where a whole copy would be plain.
   Threads: as cowshim_dup(); a write to dst by another thread meanwhile may be lost, as with memcpy(3).
   Returns the bytes shared, or -1 and errno, COWSHIM_ALLOW_PLAIN only EINVAL:
     EINVAL     see above; not exactly one flag; the ranges overlap
     EDOM       the addresses differ modulo the page size
     ERANGE     less than two whole pages inside
     ENOENT     src or dst does not lie in one block
     EACCES     a block is locked, protected, marked or excluded, or is a stack that the caller runs on
     ESTALE     the kernel shows another mapping there than expected
     EBUSY      pages of the process are pinned for I/O (*)
     EDEADLK    writers of other threads cannot be held off (*)
     ENOSYS     no shim, or the kernel does not tell which pages are there (*)
     ENOSPC     mappings or descriptors are used up (*)
     ENOMEM     no store could be opened or written (*)
   (*) may, should it begin meanwhile, come after a part was done: the contents of dst are then unspecified. */
static inline ssize_t cowshim_copy(void *dst, const void *src, size_t length, unsigned flags)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->copy(dst, src, length, flags) : cowshim_plain_copy(dst, src, length, flags);
}

/* Pays for the first copy now: moves the private pages of the range into a store, so that the next copies only map it.
   Threads: writes of others are never lost; a writer waits about a millisecond at most.
   Returns the bytes of the range that show a store now (0 without the shim), or -1 and errno as cowshim_copy() with
   COWSHIM_REQUIRE; contents are right in any case. */
static inline ssize_t cowshim_seal(void *addr, size_t length)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->seal(addr, length) : cowshim_plain_invalid(addr, length);
}

/* Makes pages of two ranges that are equal one page, whatever made them equal: loaded twice, computed twice, copied by code that the
   shim does not see. Contents do not change. Only whole pages that lie alike modulo the page size can become one; equal ones that
   lie so scattered that sharing them costs more than they do stay as they are. To make many ranges one, merge the first with each
   of the others. Since level 2.
   A sample of the pages is read first, of the whole and of each piece of some MiB; where none of it is equal the rest is not read, so that
   ranges with nothing in common cost microseconds. COWSHIM_MERGE_ALL reads all.
   Threads: writes of others are never lost, and a page that changes meanwhile is shared only if it was equal when its writers were
   held off; a writer waits a millisecond or two at most.
   Returns the bytes of a that cost no memory beside b now: what both show of one store, and what is a hole in both (0 without the
   shim); or -1 and errno:
     EINVAL     see above; an unknown flag; the ranges overlap
     EDOM       the addresses differ modulo the page size
     ERANGE     less than two whole pages inside
     ENOENT     a or b does not lie in one block
     ENOSYS     the kernel does not tell which pages are there; the shim is older than level 2
     EACCES, ESTALE, EBUSY, EDEADLK, ENOSPC, ENOMEM  as cowshim_copy() with COWSHIM_REQUIRE; a part may be merged then. */
static inline ssize_t cowshim_merge(void *a, void *b, size_t length, unsigned flags)
{
    const struct cowshim_table *calls = cowshim_find();

    if (calls == NULL)
        return cowshim_plain_merge(a, b, length, flags);
    if (calls->level >= 2)
        return calls->merge(a, b, length, flags);
    errno = ENOSYS;
    return -1;
}

/* From now on no copy to or from the blocks that the range reaches into is shared; what is shared stays so. It holds for whole
   blocks, and until cowshim_include() or the end of the block. Memory in no block is not eligible anyway.
   Threads: a copy that is under way is finished first.
   Returns 0, or -1 and errno: EINVAL, EAGAIN. Without the shim: 0. */
static inline int cowshim_exclude(void *addr, size_t length)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->exclude(addr, length) : cowshim_plain_invalid(addr, length);
}

/* Takes cowshim_exclude() and cowshim_expect_rewrite() back, for the blocks that the range reaches into.
   Returns 0, or -1 and errno: EINVAL, EAGAIN. Without the shim: 0. */
static inline int cowshim_include(void *addr, size_t length)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->include(addr, length) : cowshim_plain_invalid(addr, length);
}

/* Says that the blocks that the range reaches into will mostly be rewritten after each copy, so that sharing would be a loss:
   memcpy() and its kin copy plainly to and from them, unless COWSHIM_POLICY=memory. cowshim_copy() and cowshim_dup() are as before.
   Returns 0, or -1 and errno: EINVAL, EAGAIN. Without the shim: 0. */
static inline int cowshim_expect_rewrite(void *addr, size_t length)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->expect_rewrite(addr, length) : cowshim_plain_invalid(addr, length);
}

/* What the pages of the range are, at this moment. Any mapped memory will do. On kernels before Linux 6.7 a page that was read but
   never written counts as private.
   Threads: others may change it meanwhile.
   Returns 0, or -1 and errno: EINVAL; EAGAIN; EFAULT part of it is not mapped; ENOSYS no shim, or the kernel does not tell. */
static inline int cowshim_residency(const void *addr, size_t length, struct cowshim_pages *out)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->residency(addr, length, out) : cowshim_plain_residency(addr, length, out);
}

/* Finds which pages of two ranges differ. Where both show the same page of a store, or are holes, they are the same and nothing is
   read: what changed since a block was copied is found in the time that it takes to look at what changed. All else is compared,
   so that the answer is exact for any two readable ranges; only fast where they are related and agree modulo the page size.
   COWSHIM_DIFF_NO_READ reports all that is not known to be the same, without comparing it.
   Each range that is reported begins and ends at a page boundary of a, or at an end of the ranges; neighbours are one.
   callback may be NULL, to count only.
   Threads: a page that others write meanwhile is reported or not; what nobody writes is reported exactly.
   Returns the bytes in the ranges that were reported, or -1 and errno: EINVAL; ECANCELED the callback returned nonzero. Not EAGAIN:
   everything is compared then. Memory that is not readable is a fault of the program's, as with memcmp(3).
   Without the shim: memcmp() page by page. */
static inline ssize_t cowshim_diff(const void *a, const void *b, size_t length, unsigned flags, cowshim_diff_callback *callback,
                                   void *context)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->diff(a, b, length, flags, callback, context) : cowshim_plain_diff(a, b, length, flags, callback, context);
}

/* Writes the first size bytes of the figures into *out; size is sizeof *out of the program's header, and what an older shim does
   not know is zero.
   Returns 0, or -1 and errno: EINVAL, EAGAIN. Without the shim: 0, and all are zero. */
static inline int cowshim_stats(struct cowshim_figures *out, size_t size)
{
    const struct cowshim_table *calls = cowshim_find();

    return calls != NULL ? calls->stats(out, size) : cowshim_plain_stats(out, size);
}

#endif

#ifdef __cplusplus
}
#endif

#endif
