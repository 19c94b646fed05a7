/* SPDX-License-Identifier: MIT */
/* What memory costs on this machine, in this process: nanoseconds, all but the last three for one small page. Machines differ by a
   factor of fifty in what a fault costs, so that none of these is written down anywhere. */
#ifndef COWSHIM_KERNEL_COSTS_H
#define COWSHIM_KERNEL_COSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From this size on, in pages, a plain copy does not find its pages in the processor's cache. */
#define COSTS_FAR 4096
/* Seals and copies of fewer pages are not measured: much of their time goes into what is done once for each. */
#define COSTS_ENOUGH 64

struct costs {
    uint32_t fault;     /* the first write to a page that is not there, or is a view's */
    uint32_t fill;      /* a page made by MADV_POPULATE_WRITE, and touched */
    uint32_t copy;      /* a plain copy into memory in use */
    uint32_t copy_far;  /* likewise, of so much that the processor's cache does not hold it */
    uint32_t seal;      /* moved into a store, and shown */
    uint32_t seal_huge; /* likewise, into a store of huge pages */
    uint32_t drop;      /* a page given back */
    uint32_t read;      /* the first read of a view's page; the kernel maps its neighbours, too */
    uint32_t map;       /* one more mapping */
    uint32_t flush;     /* and its end, when pages of it were used */
    uint32_t look;      /* what is asked of the kernel before a copy is shared */
};

/* Measured at the first call, in about the time of fifty faults. */
void costs_read(struct costs *costs);
/* Learns the price of a seal from one of so many pages that took so long. */
void costs_note_seal(uint64_t nanoseconds, size_t pages, bool huge);
/* Learns the price of a plain copy from one that took so long for so many pages, of so many in all. Its target has to be in use: what it
   takes to make pages is another price. */
void costs_note_copy(uint64_t nanoseconds, size_t pages, size_t all);
/* Learns from one copy what it takes to ask the kernel before sharing. */
void costs_note_look(uint64_t nanoseconds);
/* Nanoseconds that this thread has been on a processor; for tests that set the costs, time stands still. */
uint64_t costs_clock(void);
/* For tests: these are the costs from now on. */
void costs_set(const struct costs *costs);

#endif
