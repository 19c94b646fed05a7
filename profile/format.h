/* SPDX-License-Identifier: MIT */
/* What the observer writes while the program runs, and `cowshim profile` reads when it has ended: the trail, one file per process,
   a sequence of events in the order in which they happened. Written and read by one build on one machine: no byte order, no
   compatibility. The file is mapped and grows by windows; an event never crosses the end of one. Type 0 is the end: the type is
   written last, so that a process that dies at any moment leaves a whole trail. */
#ifndef COWSHIM_PROFILE_FORMAT_H
#define COWSHIM_PROFILE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define TRAIL_VERSION 3
#define TRAIL_SUFFIX ".trail"
#define TRAIL_FIRST_WINDOW ((size_t)1 << 18)
#define TRAIL_WINDOW ((size_t)1 << 22)

/* COWSHIM_PROFILE=MODE:FOLDER, set by the command for the library. */
#define PROFILE_VARIABLE "COWSHIM_PROFILE"
#define PROFILE_OBSERVE "observe:"
#define PROFILE_APPLY "apply:"

/* Copies from here on are seen. */
#define PROFILE_SMALLEST 16384u

enum trail_type {
    TRAIL_NONE,
    TRAIL_BEGIN,   /* struct trail_begin, then the command line, words separated by NUL */
    TRAIL_MAPS,    /* a piece of /proc/self/maps; the first has flag TRAIL_FIRST */
    TRAIL_STACK,   /* struct trail_stack, addresses, then the interpreter's own traceback */
    TRAIL_ADDED,   /* struct trail_block: a large allocation */
    TRAIL_LEAVES,  /* struct trail_block: it is freed; changed samples */
    TRAIL_RETURNS, /* struct trail_block: what left last was resized */
    TRAIL_CHANGED, /* struct trail_block: samples that changed since they were last looked at */
    TRAIL_THINNED, /* struct trail_block: the samples that are watched from now on; the others are not */
    TRAIL_COPY,    /* struct trail_copy, samples of what was copied */
    TRAIL_SKIP,    /* up to the end of the window */
    TRAIL_CUT,     /* there was no room for more */
    TRAIL_END,     /* the program ended by itself */
};

#define TRAIL_FIRST 1u     /* of TRAIL_MAPS */
#define TRAIL_INHERITED 1u /* of TRAIL_ADDED: it was there when the process was forked */

struct trail_event {
    uint32_t size; /* with what follows; a multiple of 8 */
    uint16_t type;
    uint16_t flags;
    uint64_t time;   /* CLOCK_MONOTONIC, ns */
    uint64_t anon;   /* anonymous memory of the process in bytes before the event; 0: not measured */
    uint64_t stores; /* likewise, of its stores */
    uint64_t heap;   /* likewise, where the heap of sbrk() ends */
};

struct trail_begin {
    struct trail_event event;
    uint32_t version, pid, parent, page_size;
    uint32_t apply, words; /* bytes of the command line */
    uint64_t heap_start;   /* of sbrk(); 0: not known */
};

struct trail_maps {
    struct trail_event event;
    uint64_t length;
};

struct trail_stack {
    struct trail_event event;
    uint32_t id, frames, text, unused; /* text: bytes */
};

/* A page, counted from the first of its block or copy, and a hash of what it holds. */
struct trail_sample {
    uint32_t page, hash;
};

struct trail_block {
    struct trail_event event;
    uint64_t start, size;
    uint64_t was; /* TRAIL_RETURNS: where it was; TRAIL_ADDED: how many others were added that the trail does not tell of */
    uint32_t stack;
    uint32_t probes, filled; /* of a block that no copy went into, at its end: single pages asked for, and there */
    uint32_t samples;
};

#define SAMPLES_OF_COPY 256 /* at most */

/* Reasons above those of the engine. */
#define TRAIL_TOO_SMALL 1000u

struct trail_copy {
    struct trail_event event;
    uint64_t to, from, size, shared;
    uint64_t also_bytes; /* of smaller ones that stand for themselves by this one */
    uint32_t also;
    uint32_t stack, reason, site;
    uint8_t target_touched, target_huge, huge_store, tracked;
    uint32_t samples;
};

#endif
