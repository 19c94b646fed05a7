/* SPDX-License-Identifier: MIT */
/* The layout of the page by which other processes see what happens in this one: `cowshim stat`, `top` and `map` read it.
   It is the memfd EXPORT_NAME, found in /proc/PID/fd and opened there, which needs the right to read the process (ptrace(2),
   PTRACE_MODE_READ) and nothing of the process itself. Seals keep it at its size and keep everybody but its owner from writing.
   A copy of the process has it among its descriptors until it begins its own; header.process tells whose it is.
   All numbers are relaxed atomics: each is right, two of them may be of different moments. Unused space costs no memory. */
#ifndef COWSHIM_ENGINE_EXPORT_PAGE_H
#define COWSHIM_ENGINE_EXPORT_PAGE_H

#include <stdint.h>

#include "engine/report/counters.h"

#define EXPORT_NAME "cowshim-page"
#define EXPORT_MAGIC UINT64_C(0x65676150776f43) /* "CowPage" */
/* Moves when the meaning or the place of anything here does. Another counter or reason is no change: they bring their names. */
#define EXPORT_VERSION 1u

struct export_header {
    uint64_t magic; /* written last */
    uint32_t version;
    uint32_t page_size;
    int64_t process;    /* the owner, as it sees itself */
    uint64_t opened;    /* CLOCK_BOOTTIME, nanoseconds */
    uint64_t file_size; /* of all of it */
    uint64_t min_size;
    char release[16], mode[16], policy[16]; /* of the library; COWSHIM_MODE and COWSHIM_POLICY */
    uint32_t counters, reasons, count_size; /* how many entries, counters first, and the bytes of each */
    uint32_t counts_offset;
    uint32_t blocks_offset, block_size, block_slots;
    _Atomic uint32_t blocks_end;  /* slots from here on were never used */
    _Atomic uint32_t unlisted;    /* blocks for which there was no slot */
    _Atomic uint32_t descriptors; /* that are ours */
};

enum export_flags {
    EXPORT_EXCLUDED = 1,   /* locked, protected or partly unmapped by the program: not copied by mapping */
    EXPORT_HUGE = 2,       /* the program asked for huge pages */
    EXPORT_REGISTERED = 4, /* the program registered it, and no allocator */
};

/* One slot of the table. An address of 0: free. The rest is written before the address. */
struct export_block {
    _Atomic uint64_t address, size;
    _Atomic uint64_t flags;
    _Atomic uint64_t copied_from; /* the last large copy that was mapped into it: where from, 0: none */
    _Atomic uint64_t copied_by;   /* the return address in the program */
    _Atomic uint64_t copied_at;   /* CLOCK_MONOTONIC, nanoseconds */
    uint64_t unused[2];
};

#define EXPORT_SLOTS 16384u
#define EXPORT_BLOCKS_OFFSET 4096u

struct export_page {
    struct export_header header;
    struct counts counts;
};

_Static_assert(sizeof(struct export_page) <= EXPORT_BLOCKS_OFFSET, "the table comes behind the counts");
_Static_assert(sizeof(struct export_block) == 64, "slots never lie on two pages");

#endif
