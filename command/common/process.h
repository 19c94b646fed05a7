/* SPDX-License-Identifier: MIT */
/* What a process tells of itself: its exported page (engine/export_page.h), read through /proc without the process noticing.
   Nothing in the page is believed before it was checked: another user's process may have made it. */
#ifndef COWSHIM_COMMAND_PROCESS_H
#define COWSHIM_COMMAND_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/report/export_page.h"

enum process_state {
    PROCESS_OPEN,
    PROCESS_GONE,      /* there is no such process (any more) */
    PROCESS_FORBIDDEN, /* we may not read it */
    PROCESS_STRANGER,  /* runs without the shim */
    PROCESS_OFF,       /* has the library, switched off */
    PROCESS_LEFT_OUT,  /* has the library, and COWSHIM_PROGRAMS that may leave it out; no page */
    PROCESS_ASLEEP,    /* has made no large allocation yet, or could not open its page */
    PROCESS_CHILD,     /* has only the page of the process that it is a copy of */
    PROCESS_OTHER,     /* a page of another version */
    PROCESS_BROKEN,    /* a page that is none */
};

struct process {
    pid_t pid;
    char name[32];
    enum process_state state;
    pid_t parent_page;      /* PROCESS_CHILD: whose page it has */
    unsigned page_version;  /* PROCESS_OTHER */
    int page_fd;            /* -1: not open */
    uintptr_t page_address; /* where it is mapped there; 0: not known */
    /* The copy that process_read() makes: */
    struct export_header header;
    struct count *counts;        /* header.counters of them, then header.reasons */
    struct export_block *blocks; /* those in use, by address */
    size_t block_count;
};

/* What can be told is filled in, whatever the state. To be closed in every case. */
enum process_state process_open(struct process *process, pid_t pid);
/* Takes a fresh copy of an open one. */
enum process_state process_read(struct process *process);
void process_close(struct process *process);
/* Says on stderr why there is nothing to be seen. */
void process_explain(const struct process *process);

/* The number of a counter or reason by its name; 0 when this page has none of that name. */
uint64_t process_count(const struct process *process, const char *name);
const struct count *process_reasons(const struct process *process);
/* The reasons that occurred, those with most bytes first; returns how many. And how many copies were plain in all. */
#define PROCESS_REASONS 64
size_t process_list_reasons(const struct process *process, struct count reasons[PROCESS_REASONS]);
uint64_t process_plain_copies(const struct process *process);
/* What a name means; the name itself when this command does not know it. */
const char *process_words(const char *name);

/* A file below /proc/PID, read whole, terminated, to be freed; NULL and errno. */
char *process_file(pid_t pid, const char *name, size_t *size);
/* Calls visit with every process id that there is, until it says false. */
void process_each(bool (*visit)(pid_t pid, void *context), void *context);
/* Whether a line of maps or a link in fd names a store, by its path alone. */
bool process_names_store(const char *path);

#endif
