/* SPDX-License-Identifier: MIT */
/* Blocks of the engine, each with a picture that the engine cannot see, and the numbers that the input gives for them. */
#ifndef COWSHIM_TESTS_FUZZ_SLOTS_H
#define COWSHIM_TESTS_FUZZ_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOTS 6

/* size 0: no block. room: from block to the end of what is mapped for it, which stays for the next block of the slot. */
struct slot {
    unsigned char *block, *picture;
    size_t size, room;
};

struct range {
    size_t start, size;
};

extern struct slot slots[SLOTS];
extern unsigned operations; /* so far, for messages */
extern int depth;           /* forks above us */

/* Says what is wrong and ends the process with status 1. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

void input_set(const uint8_t *data, size_t size);
bool input_left(void);
/* The next byte; 0 when there is none. */
unsigned take(void);
/* Below the limit: in 256 steps over all of it, which for small blocks are pages. */
size_t take_part(size_t limit);
struct slot *take_slot(void);
/* One that has a block, made if need be. */
struct slot *take_block(void);
/* Some of the whole pages of a slot. */
struct range take_pages(const struct slot *slot);
/* Any range of a slot. */
struct range take_range(const struct slot *slot);

/* Memory that the engine does not know. Large memory begins on a huge page, so that it can show huge stores. */
unsigned char *slot_map(size_t size);
/* Memory of the slot's last block where it is large enough, as allocators do, or fresh memory. */
void slot_add(struct slot *slot);
void slot_remove(struct slot *slot);
void slot_compare(const struct slot *slot, size_t start, size_t size, const char *what);
void slots_compare(const char *what);
/* The picture takes what the block has from byte start to end. */
void slot_learn(struct slot *slot, size_t start, size_t end);
/* Every step-th byte of the range. */
void slot_write(struct slot *slot, struct range range, size_t step, unsigned seed);

#endif
