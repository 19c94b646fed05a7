/* SPDX-License-Identifier: MIT */
/* Histories: which share of the pages of earlier copies was rewritten, slice by slice, and which share of the pages of their source
   between two copies of it. Shares are fixed-point numbers (SHARE_ONE is all of them), and running means in which a new value counts a
   quarter, and that of a sampled page a sixteenth. Pure: no system call, no lock.

   What comes next is forecast in two ways: each slice as before, or every slice as all of them on average. The way that has been less wrong
   lately is believed. A program that always rewrites the same part is foretold by the first, one that rewrites another part each time (a
   window that moves, pages drawn by lot) by the second. */
#ifndef COWSHIM_ENGINE_HISTORY_H
#define COWSHIM_ENGINE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A copy is cut into SLICES slices, or fewer if each would have less than SLICE_PAGES pages. */
#define SLICES 64
#define SLICE_PAGES 4

#define SHARE_ONE 32768u
#define SHARE_UNKNOWN UINT16_MAX

unsigned slice_count(size_t pages);
/* The first page of a slice; for slice_count(pages), the number of pages. */
size_t slice_start(size_t pages, unsigned slice);
/* The slice that a page is in. */
unsigned slice_of(size_t pages, size_t page);
/* The bits of all slices. */
uint64_t slice_all(size_t pages);
/* The end of the run of slices that have the same bit in the mask as this one. */
unsigned slice_alike(uint64_t mask, unsigned slice, unsigned count);

/* A copy has a history by each of these keys, the most specific first: its source and size; its place in the program and size; its place
   and the power of two below its size. */
enum { BY_SOURCE, BY_SIZE, BY_CLASS, KEYS };

struct origin {
    uint32_t keys[KEYS]; /* keys[0] is 0 where the policy is not to be asked */
};

struct shares {
    uint16_t slice[SLICES];
    uint16_t overall;
    uint32_t slice_error, overall_error; /* running means of the squared errors of the two forecasts */
};

struct history {
    uint32_t key;     /* 0: nobody's */
    uint16_t fates;   /* of copies, as far as counted */
    uint16_t changes; /* likewise, of sources */
    uint16_t doubts;  /* of what is known: grows when a slice is kept that was expected to be rewritten */
    uint16_t read;    /* share of the shared pages that were read */
    uint32_t plain;   /* nanoseconds that a page of a plain copy has taken; 0: not known */
    struct shares target, source;
    int64_t debt;   /* nanoseconds that sharing has cost and should not have; what is known of it is no use while there is any */
    bool ruined;    /* the debt was more than a change to plain copies costs, and is not paid off yet */
    int64_t credit; /* half of what sharing has won here and has not lost again since, in nanoseconds */
    uint64_t last;  /* when there was a copy, in nanoseconds */
    int64_t income; /* nanoseconds that the time between the two copies before allowed to lose */
};

/* What became of a copy, or of a source: SHARE_UNKNOWN for what nobody looked at. */
struct fate {
    uint16_t written[SLICES];
    uint16_t read;
    uint64_t sampled; /* slices of which one page speaks for all */
};

/* The share of the slice that is expected to be rewritten next. */
unsigned history_forecast(const struct shares *shares, unsigned slice);

void history_learn_target(struct history *history, const struct fate *fate);
void history_learn_source(struct history *history, const struct fate *fate);
/* Learns what a page of a plain copy takes here, which depends on what the program does between two copies: its pages are in the
   processor's cache or not. No more than `most` is believed. */
void history_learn_plain(struct history *history, uint64_t nanoseconds, uint32_t most);
/* Notes that a copy is made now, and returns the nanoseconds that it may lose. A twentieth of the time since the last copy pays off the
   debt. The rest of it may be lost, but not more than the purse has, and not more than the interval before that allowed, so that one long
   pause is not taken for a habit. */
int64_t history_afford(struct history *history, uint64_t now, int64_t purse);
/* Books what a copy cost more than it would have without us. A negative number is a gain. Where the copy was made because of what is known,
   a loss that no credit covers is a debt. */
void history_book(struct history *history, int64_t nanoseconds, bool known);

#endif
