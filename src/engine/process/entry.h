/* SPDX-License-Identifier: MIT */
/* Entering and leaving the engine. While inside, errno is ours to spoil: entry_end puts the program's back. */
#ifndef COWSHIM_ENGINE_ENTRY_H
#define COWSHIM_ENGINE_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

struct entry {
    int saved_errno;
    int cancel_state;
    uint64_t signals;
    bool quiet;
};

/* For registering, finding and forgetting blocks: short. False: nested, or an unusable child; then do not call entry_end. */
bool entry_begin(struct entry *entry);
/* For what maps and seals: signals and cancellation wait until the end. */
bool entry_begin_quiet(struct entry *entry);
/* The same; false also where it would have to wait. */
bool entry_begin_now(struct entry *entry);
void entry_end(struct entry *entry);
/* From now on the operation can be broken off between two steps, and be taken up again: a long one should be where entry_wanted(), because
   a signal, a fork or a call of the program that cannot take place beside us waits. Only for one that was begun quietly. */
void entry_let_yield(const struct entry *entry);
bool entry_wanted(void);
/* With no lock held: ends the operation, so that those who wait come to it, and begins it again. False: it ended, and cannot be begun. */
bool entry_yield(struct entry *entry);
/* The end of an operation that may have sealed, shown or dropped pages: first the guard may rest, and what died is given back. With no lock
   held. */
void entry_conclude(struct entry *entry);
void entry_after_fork(void);

/* For engine_confine(): nobody begins quietly from now on, or all may again; and how many threads are inside so, or about to be. */
void entry_shut(bool shut);
int entry_quiet_ones(void);

#endif
