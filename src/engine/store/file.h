/* SPDX-License-Identifier: MIT */
/* The files that stores lie in: one for each kind, sparse, address space rather than memory. A store takes a range of the file and
   gives it back when it has punched it. Where the file cannot serve any more (the program closed its descriptor, nothing can be
   punched, RLIMIT_FSIZE) another takes its place, and the old one is closed with its last store.
   A child has its parent's files, maps what is in them, and begins its own: two processes that append to one file would write over
   each other. All functions need the stores lock (store.c). */
#ifndef COWSHIM_ENGINE_FILE_H
#define COWSHIM_ENGINE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/tree.h"
#include "kernel/storefile.h"
#include "kernel/witness.h"

struct file_range {
    struct tree_node by_offset; /* in the file */
    uint64_t size;
};

struct store_file {
    enum storefile_kind kind;
    struct descriptor descriptor;
    struct witness witness; /* as old as the file */
    bool own;               /* no other process writes to it, and we give back what lies between our stores */
    uint64_t length;        /* of the file */
    uint64_t end;           /* nothing is taken from here on */
    struct tree free;       /* below the end, by offset */
    struct tree stores;     /* by offset */
    unsigned count;         /* the number of stores */
    unsigned idle;          /* how many of these we show no more and could not give back */
    struct store_file *next;
};

/* Takes a range in the file that stores of the kind are made in. 0 or -errno. */
int file_take(enum storefile_kind kind, size_t size, struct store_file **file, uint64_t *offset);
/* Makes the file at least this long. To be called before anything there is mapped: a page beyond the end would be a SIGBUS. */
int file_reach(struct store_file *file, uint64_t end);
/* Gives back a range, which reads as zero by now. */
void file_give(struct store_file *file, uint64_t offset, uint64_t size);

void file_add(struct store_file *file, struct file_range *store);
/* A store is gone. If it was the last one of a file that makes no more, the file is closed. */
void file_remove(struct store_file *file, struct file_range *store);

/* From now on stores are made in another file. False: there are too many files already. */
bool file_retire(struct store_file *file);
/* Whether stores can still be made in it. */
bool file_serves(struct store_file *file);
/* Whether all its stores are idle. If so, no more are made in it, and it is best closed: the kernel then gives all of it back when the
   last of the other processes ends, whether or not we are called again. */
bool file_end_if_idle(struct store_file *file);

/* In a child: the files belong to the parent from now on. Takes no memory. No operation is under way. */
void file_after_fork(void);
/* A file of another process that nobody but us has any more, so that what lies between our stores can be punched. Held, or NULL. */
struct store_file *file_left_to_us(void);
/* Whether there is a file of another process. */
bool file_foreign(void);
void file_let_go(struct store_file *file);
/* Finds the first range from *start on that has no store in it. False: there is none. */
bool file_gap(const struct store_file *file, uint64_t *start, uint64_t *end);

/* The file after this one; after NULL the first. */
struct store_file *file_after(struct store_file *file);

#endif
