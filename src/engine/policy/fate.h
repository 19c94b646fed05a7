/* SPDX-License-Identifier: MIT */
/* The policy at work in the engine: asks it about each copy, finds out later what became of the copy, and teaches it that. Functions that
   take a block need its lock. */
#ifndef COWSHIM_ENGINE_FATE_H
#define COWSHIM_ENGINE_FATE_H

#include "engine/block/block.h"
#include "engine/policy/policy.h"

/* A copy that is about to be made. The page at address p of the source is copied to p + shift. */
struct venture {
    struct block *from, *to;
    uintptr_t source, shift;
    size_t pages;
    struct origin place;
    bool fresh, filled;            /* no page of the target was ever touched; it has pages everywhere (used where no trace tells more) */
    const uint32_t *private_pages; /* see struct facts; NULL when this copy is decided for the first time */
    int64_t purse;                 /* set by the first decision, used by the second */
};

/* Which slices to share. It is asked once before the source is scanned, and once more when its private pages are known. */
struct judgement fate_decide(struct venture *venture);
/* Reads COWSHIM_INTERNAL=mixture, with which decisions are random. */
void fate_init(void);

/* A copy into or of the block is about to end, because the block is freed, moved, copied over or sealed again. Finds out how much of it was
   rewritten, and teaches that to the policy. Each copy is looked at once. */
void fate_of_copy(struct block *block);
/* The same, when the block will not be copied again in its present state: what was rewritten of it as a source counts now, too. */
void fate_end(struct block *block);
/* The same, when the block is about to move, after which its traces would name the wrong pages. */
void fate_forget(struct block *block);
/* The source of an earlier copy is copied again. Teaches how much of it was rewritten in between: private_pages has the number of its
   private pages in each of the slices in looked_at. */
void fate_of_source(const struct venture *venture, const uint32_t *private_pages, uint64_t looked_at);

/* A copy was made as judged, which took `spent` nanoseconds: remembers it in both blocks. */
void fate_begin(const struct venture *venture, const struct judgement *judgement, uint64_t spent);

/* A plain copy, or the plain part of one, took so long for so many pages, of so many in all. Its target and its source have to be in use:
   what it takes to make pages is another price. */
void fate_note_plain(const struct origin *place, uint64_t nanoseconds, size_t pages, size_t all);

/* A block left the registry. Takes the block's lock. If the block has no views its copies end here. */
void fate_leave(struct block *block);

void fate_after_fork(void);

#endif
