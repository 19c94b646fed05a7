/* SPDX-License-Identifier: MIT */
/* The policy: decides which part of a copy to share, and learns from what became of it. It is one object, which makes no system calls and
   takes no locks: the engine has one (fate.h), and the simulation of `cowshim profile` has another. */
#ifndef COWSHIM_ENGINE_POLICY_H
#define COWSHIM_ENGINE_POLICY_H

#include "engine/policy/history.h"
#include "engine/policy/judge.h"
#include "engine/policy/ledger.h"

#define HISTORIES 1024

struct policy {
    struct history histories[HISTORIES];
    struct ledger ledger;
};

/* The keys of a copy. caller: the return address in the program; source: the address of the array. */
struct origin policy_origin(uintptr_t caller, uintptr_t source, size_t size);

/* The nanoseconds that a copy which is about to be made may lose. To be asked once for each copy. processor_ns: what the process has used;
   now: the time. */
int64_t policy_purse(struct policy *policy, const struct origin *place, uint64_t processor_ns, uint64_t now);
struct judgement policy_decide(struct policy *policy, const struct origin *place, const struct facts *facts, const struct costs *costs);
/* Learns what became of a copy, shared or plain. lost: the nanoseconds that it cost more than without us; known: as in its judgement. */
void policy_learn_copy(struct policy *policy, const struct origin *place, const struct fate *fate, int64_t lost, bool known);
/* Learns what a page of a plain copy took; most: what can be believed. */
void policy_learn_plain(struct policy *policy, const struct origin *place, uint64_t nanoseconds, uint32_t most);
/* Learns what became of a source between two copies of it. */
void policy_learn_source(struct policy *policy, const struct origin *place, const struct fate *fate, int64_t lost);
/* Whether to find out what becomes of this copy. Where copies have often come out the same only every fourth is looked at. */
bool policy_curious(const struct policy *policy, const struct origin *place, unsigned turn);

/* Whether a block should be sealed anew as one piece, because copying its scattered private pages has cost as much by now as that would. */
bool policy_consolidates(size_t pages, size_t copied_pages_since, const struct costs *costs, bool huge_store);

#endif
