/* SPDX-License-Identifier: MIT */
/* The policy: histories, and the books. Which part of a copy to share, and learning from what came of it. One object, without system
   calls and locks: the engine has one (fate.h), and so has the simulation of `cowshim profile`. */
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

/* caller: the place in the program; source: where the array begins. */
struct origin policy_origin(uintptr_t caller, uintptr_t source, size_t size);

/* What a copy may lose that is about to be made, of a process that has used so much processor time, now; asked once for each. */
int64_t policy_purse(struct policy *policy, const struct origin *place, uint64_t processor_ns, uint64_t now);
struct judgement policy_decide(struct policy *policy, const struct origin *place, const struct facts *facts, const struct costs *costs);
/* What became of a copy; lost: what it cost more than one that is not shared, if it was shared; known: as in its judgement. */
void policy_learn_copy(struct policy *policy, const struct origin *place, const struct fate *fate, int64_t lost, bool known);
/* What became of a source between two copies. */
void policy_learn_source(struct policy *policy, const struct origin *place, const struct fate *fate, int64_t lost);
/* Whether the fate of this copy is worth a look: of what always comes out the same only every fourth. */
bool policy_curious(const struct policy *policy, const struct origin *place, unsigned turn);

/* Whether a block should be sealed anew as one piece: what copying its scattered pages has cost by now, against that. */
bool policy_consolidates(size_t pages, size_t copied_pages_since, const struct costs *costs, bool huge_store);

#endif
