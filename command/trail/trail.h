/* SPDX-License-Identifier: MIT */
/* The trail of one process (profile/format.h), read whole: its events in order, and who is meant by their addresses. */
#ifndef COWSHIM_COMMAND_TRAIL_H
#define COWSHIM_COMMAND_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile/format.h"

#define NO_BLOCK UINT32_MAX

/* An event, and the blocks that it speaks of: the numbers of the steps that added them, or NO_BLOCK. */
struct step {
    const struct trail_event *event;
    uint32_t block;             /* the block; of a copy, the target */
    uint32_t source;            /* of a copy */
    uint32_t page, source_page; /* of a copy: where its first whole page is in them */
    uint32_t since;             /* the step at which this block was looked at before: what changed, changed after that */
    bool moves;                 /* a block leaves, to return */
};

struct trail {
    char *data;
    size_t size;
    const struct trail_begin *begin;
    bool ended; /* the program came to its own end */
    bool cut;
    struct step *steps;
    uint32_t count;
    const struct trail_stack **stacks; /* by number; there is none with number 0 */
    uint32_t stack_count;
    char *maps; /* the last /proc/self/maps that was written down */
};

/* 0, or -errno: -EPROTO when it is no trail of this version. */
int trail_read(const char *path, struct trail *trail);
void trail_free(struct trail *trail);

/* A program's command line as one line of text; allocated. */
char *trail_command(const struct trail *trail);

static inline const struct trail_sample *trail_samples(const struct trail_event *event)
{
    return (const struct trail_sample *)(const void *)(event->type == TRAIL_COPY ? (const char *)event + sizeof(struct trail_copy)
                                                                                 : (const char *)event + sizeof(struct trail_block));
}

#endif
