/* SPDX-License-Identifier: MIT */
/* The memory of some processes at one moment, as the kernel tells it from outside (/proc/PID/maps, pagemap, fd): their blocks page
   by page, the stores that these show, and who else shows them. No process is stopped or signalled; what changes while we look
   makes the picture of two moments, never a wrong access. What a process costs is what tests/apps/memory.py says, private pages
   and stores. */
#ifndef COWSHIM_COMMAND_SCENE_H
#define COWSHIM_COMMAND_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "command/common/process.h"

enum page_state {
    PAGE_HOLE,      /* nothing there: reads as zero */
    PAGE_PRIVATE,   /* belongs to this block alone */
    PAGE_REWRITTEN, /* the same, above a store: it was shared once */
    PAGE_SHOWN,     /* a page of a store */
};

/* A mapping of a store. */
struct scene_view {
    uintptr_t start, end;
    uint64_t offset;
    unsigned store; /* in the scene */
};

struct scene_store {
    dev_t device;
    ino_t inode;
    uint64_t size, allocated; /* bytes */
    size_t pages;
    unsigned short *shown; /* how often each page is shown, in all processes of the scene */
    unsigned char *there;  /* whether each page is allocated */
};

struct array {
    uintptr_t start;
    size_t size;
    unsigned flags; /* enum export_flags */
    uintptr_t copied_from, copied_by;
    uint64_t copied_at;
    size_t pages;
    unsigned char *state; /* enum page_state, of each page */
    size_t count[PAGE_SHOWN + 1];
};

struct figures {
    size_t arrays, views, stores, mappings;
    uint64_t asked;     /* bytes of all arrays */
    uint64_t logical;   /* what they would take without the shim: their private pages, and what they show of stores */
    uint64_t own;       /* their private pages */
    uint64_t rewritten; /* of these, above a store: copied by the kernel when they were written */
    uint64_t stored;    /* allocated in all stores */
    uint64_t dead;      /* of this, shown by nobody */
    uint64_t anonymous; /* all private memory of the process, swapped out or not, arrays included */
    uint64_t page_tables;
    uint64_t resident;
};

struct member {
    struct process process;
    struct scene_view *views; /* by address */
    size_t view_count;
    unsigned *stores; /* that it has mapped or open */
    size_t store_count;
    struct array *arrays; /* by address; none where the process has no page of its own */
    size_t array_count;
    size_t mappings;
    struct figures figures;
};

struct scene {
    size_t page_size;
    struct member *members;
    size_t member_count;
    struct scene_store *stores;
    size_t store_count;
    struct figures figures; /* of all: a store that several processes show counts once */
};

/* The real cost of arrays, and what is saved by it. */
static inline uint64_t figures_cost(const struct figures *figures)
{
    return figures->own + figures->stored;
}

static inline int64_t figures_saved(const struct figures *figures)
{
    return (int64_t)(figures->logical - figures_cost(figures));
}

void scene_init(struct scene *scene);
void scene_end(struct scene *scene);
/* Adds a process; the scene keeps what it needs, and process_open()'s part of it. NULL: no memory. */
struct member *scene_add(struct scene *scene, pid_t pid);
/* Adds every process that shows itself. Returns how many there were that we may not read. */
size_t scene_add_all(struct scene *scene);
/* Adds the processes that show a store of those that are there: children and parents. */
void scene_add_relatives(struct scene *scene);
/* Looks. A member whose process ended meanwhile gets the state PROCESS_GONE. */
void scene_look(struct scene *scene);

/* The view that shows the page, or NULL; and the page of the store that it shows. */
const struct scene_view *scene_view_at(const struct member *member, uintptr_t address);

#endif
