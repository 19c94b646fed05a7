/* SPDX-License-Identifier: MIT */
#include "profile/stack.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/thread.h"
#include "profile/heap.h"
#include "profile/maps.h"
#include "profile/python.h"
#include "profile/r.h"
#include "profile/trail.h"

#define FRAMES 40
#define FRAMES_BELOW_PYTHON 16 /* what lies under the interpreter's own loop is told by the interpreter */
#define TEXT 6000
#define NUMBERS (1u << 16)

static THREAD_LOCAL struct {
    uintptr_t looking; /* the frame that is at it, or 0 */
    bool seen;
    unsigned frames, text_length;
    uint64_t hash;
    uintptr_t addresses[FRAMES];
    char text[TEXT];
} here;

static struct {
    uint64_t hash;
    uint32_t number;
} * numbers;
static uint32_t last_number;
static _Atomic bool libraries_changed;

void stack_init(void)
{
    python_find();
    r_find();
}

void stack_after_fork(void)
{
    last_number = 0;
    if (numbers != NULL)
        for (size_t i = 0; i < NUMBERS; i++)
            numbers[i].number = 0;
    maps_after_fork();
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

static uint64_t hash_text(uint64_t hash, const char *text, size_t length)
{
    uint64_t word;

    for (; length >= sizeof word; text += sizeof word, length -= sizeof word) {
        __builtin_memcpy(&word, text, sizeof word);
        hash = mix(hash, word);
    }
    word = length;
    while (length > 0)
        word = word << 8 | (unsigned char)text[--length];
    return mix(hash, word);
}

/* A signal handler that interrupts a look, on the same stack, is further down; anything else that finds one under way knows that it
   was left by a jump. */
static bool interrupts(uintptr_t frame)
{
    return here.looking != 0 && frame < here.looking;
}

void stack_look(void)
{
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    uint64_t hash = 0;
    int count;

    if (interrupts(frame))
        return;
    here.looking = frame;
    if (atomic_exchange_explicit(&libraries_changed, false, memory_order_relaxed))
        stack_init();
    here.text_length = (unsigned)python_traceback(here.text, TEXT);
    if (here.text_length == 0)
        here.text_length = (unsigned)r_traceback(here.text, TEXT);
    count = unw_backtrace((void **)here.addresses, here.text_length > 0 ? FRAMES_BELOW_PYTHON : FRAMES);
    here.frames = count > 0 ? (unsigned)count : 0;
    for (unsigned i = 0; i < here.frames; i++)
        hash = mix(hash, here.addresses[i]);
    here.hash = hash_text(hash, here.text, here.text_length);
    here.seen = true;
    here.looking = 0;
}

void stack_forget(void)
{
    if (here.looking == 0)
        here.seen = false;
}

static void describe(uint32_t number)
{
    size_t bytes = here.frames * sizeof here.addresses[0];
    struct trail_stack *event;

    if (maps_cover(here.addresses, here.frames))
        atomic_store(&libraries_changed, true);
    event = trail_add(sizeof *event + bytes + here.text_length);
    if (event == NULL)
        return;
    event->id = number;
    event->frames = here.frames;
    event->text = here.text_length;
    memcpy(event + 1, here.addresses, bytes);
    memcpy((char *)(event + 1) + bytes, here.text, here.text_length);
    trail_finish(event, TRAIL_STACK, 0);
}

uint32_t stack_number(void)
{
    size_t at = here.hash % NUMBERS;

    if (!here.seen || here.looking != 0)
        return 0;
    if (numbers == NULL && (numbers = heap_pages(NUMBERS * sizeof *numbers)) == NULL)
        return 0;
    while (numbers[at].number != 0 && numbers[at].hash != here.hash)
        at = (at + 1) % NUMBERS;
    if (numbers[at].number == 0) {
        if (last_number >= NUMBERS / 2)
            return 0;
        numbers[at].hash = here.hash;
        numbers[at].number = ++last_number;
        describe(last_number);
    }
    return numbers[at].number;
}
