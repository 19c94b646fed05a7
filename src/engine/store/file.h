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
    bool own;               /* ours alone to write, and to give back what no store of ours has */
    uint64_t length;        /* of the file */
    uint64_t end;           /* nothing is taken from here on */
    struct tree free;       /* below the end, by offset */
    struct tree stores;     /* by offset */
    unsigned count;         /* of stores, */
    unsigned idle;          /* and of these, those that we show no more and could not give back */
    struct store_file *next;
};

/* A range in the file that stores of the kind are made in; 0 or -errno. */
int file_take(enum storefile_kind kind, size_t size, struct store_file **file, uint64_t *offset);
/* The file reaches this far. Before anything there is mapped: a page beyond the end would be a SIGBUS. */
int file_reach(struct store_file *file, uint64_t end);
/* A range that reads as zero is free again. */
void file_give(struct store_file *file, uint64_t offset, uint64_t size);

void file_add(struct store_file *file, struct file_range *store);
/* A store is gone; the file may be, too. */
void file_remove(struct store_file *file, struct file_range *store);

/* Stores are made in another file from now on. False: that would be one too many. */
bool file_retire(struct store_file *file);
/* Whether stores can be made in it. */
bool file_serves(struct store_file *file);
/* Whether all its stores are idle, and no more will come: then it is best closed. */
bool file_is_over(const struct store_file *file);

/* In a child: the files are the parent's. Takes no memory; nobody else is at work. */
void file_after_fork(void);
/* One that was left to us, because nobody else has it any more: what lies between our stores was that other process's. Held, or NULL. */
struct store_file *file_left_to_us(void);
/* Whether any is not ours. */
bool file_foreign(void);
void file_let_go(struct store_file *file);
/* The first range from *start on in which no store is; false: there is none. */
bool file_gap(const struct store_file *file, uint64_t *start, uint64_t *end);

/* All files, one after the other; NULL: the first. */
struct store_file *file_after(struct store_file *file);

#endif
