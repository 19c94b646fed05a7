/* SPDX-License-Identifier: MIT */
/* The engine's policy: decides, and looks what became of copies. What stands below needs the lock of the block. */
#ifndef COWSHIM_ENGINE_FATE_H
#define COWSHIM_ENGINE_FATE_H

#include "engine/block/block.h"
#include "engine/policy/policy.h"

/* What one copy is about; pages of the target are those of the source moved by shift. */
struct venture {
    struct block *from, *to;
    uintptr_t source, shift;
    size_t pages;
    struct origin place;
    bool fresh, filled;            /* what the target is, where no trace tells: never touched; in use */
    const uint32_t *private_pages; /* see struct facts; NULL: it is the first time that this one is decided */
    int64_t purse;                 /* what was found then */
};

struct judgement fate_decide(struct venture *venture);
/* COWSHIM_INTERNAL=mixture: decides any way. */
void fate_init(void);

/* Of a copy into the block or of it that is about to end (freed, moved, copied over, sealed again): how much was rewritten, so that the
   next ones are decided better. Once each. */
void fate_of_copy(struct block *block);
/* Likewise, and it will not be copied again as it is: what it was as a source has an end, too. */
void fate_end(struct block *block);
/* Likewise, of a block that is about to move. */
void fate_forget(struct block *block);
/* The same of the source, at its next copy: how many pages of each slice are private now, of the slices that were looked at. */
void fate_of_source(const struct venture *venture, const uint32_t *private_pages, uint64_t looked_at);

/* A copy was made: so decided, in so many nanoseconds. */
void fate_begin(const struct venture *venture, const struct judgement *judgement, uint64_t spent);

/* A block left the registry. Takes its lock; of one that shows nothing this is the end. */
void fate_leave(struct block *block);

void fate_after_fork(void);

#endif
