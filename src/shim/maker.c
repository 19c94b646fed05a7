/* SPDX-License-Identifier: MIT */
#include "shim/maker.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

/* A bytes object is its header, the bytes, and a zero. Arrays are multiples of 64 bytes often, and what else Python has of such a size
   is rare. */
#define USUAL_UNIT 64
#define USUAL_REST (ENGINE_LEAD + 1)

/* How far up the stack the caller of malloc is looked for, and from there its own callers: in words. */
#define FRAMES_OF_OURS 64
#define FRAMES_OF_PYTHON 16

struct code {
    uintptr_t start;
    size_t size;
};

/* Of the executable or library that has Python in it; empty where there is none. */
static struct code python;
/* The functions that make or resize nothing but bytes objects. Some others do, too: their names are not exported, they are learned. */
static struct code of_bytes[2];

static bool is_in(const struct code *code, uintptr_t address)
{
    return address - code->start < code->size;
}

static struct code find_function(const char *name)
{
    struct code code = {0, 0};
    void *function = dlsym(RTLD_DEFAULT, name);
    const ElfW(Sym) *symbol = NULL;
    Dl_info library;

    if (function == NULL)
        dlerror(); /* the program shall not find an error of ours */
    else if (dladdr1(function, &library, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol != NULL)
        code = (struct code){(uintptr_t)function, symbol->st_size};
    return code;
}

/* Called for each library: whether its code has the functions. */
static int find_code(struct dl_phdr_info *library, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    for (unsigned i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        struct code code = {library->dlpi_addr + segment->p_vaddr, segment->p_memsz};

        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) != 0 && is_in(&code, of_bytes[0].start)) {
            python = code;
            return 1;
        }
    }
    return 0;
}

/* Python's allocator for debugging has words of its own in front of each object, so that the bytes begin elsewhere. */
static bool has_debug_words(void)
{
    const char *allocator = getenv("PYTHONMALLOC");
    const char *developer = getenv("PYTHONDEVMODE");

    return (allocator != NULL && strstr(allocator, "debug") != NULL) || (developer != NULL && *developer != '\0');
}

void maker_start(void)
{
    if (has_debug_words())
        return;
    of_bytes[0] = find_function("PyBytes_FromStringAndSize");
    if (of_bytes[0].size == 0)
        return;
    of_bytes[1] = find_function("_PyBytes_Resize");
    dl_iterate_phdr(find_code, NULL);
}

/* What the stack has of Python's code above the caller. A word of it may be left from an earlier call, or be no return address at all. */
struct trail {
    uintptr_t next; /* the first such word, or 0 */
    bool makes_bytes;
};

static bool is_of_bytes(uintptr_t address)
{
    return is_in(&of_bytes[0], address) || is_in(&of_bytes[1], address);
}

static __attribute__((noinline)) struct trail follow(const void *caller)
{
    const volatile uintptr_t *stack = __builtin_frame_address(0);
    struct trail trail = {0, is_of_bytes((uintptr_t)caller)};
    unsigned at = 0;

    while (at < FRAMES_OF_OURS && stack[at] != (uintptr_t)caller)
        at++;
    if (at == FRAMES_OF_OURS)
        return trail;
    for (unsigned end = at + FRAMES_OF_PYTHON; ++at <= end;) {
        uintptr_t word = stack[at];

        trail.makes_bytes = trail.makes_bytes || is_of_bytes(word);
        if (trail.next == 0 && is_in(&python, word))
            trail.next = word;
    }
    return trail;
}

/* Never 0. */
static uint32_t number_of(uintptr_t caller, uintptr_t next)
{
    uint64_t mixed = (caller * UINT64_C(0x9e3779b97f4a7c15) ^ next) * UINT64_C(0xff51afd7ed558ccd);

    return (uint32_t)(mixed >> 32) | 4;
}

struct placement maker_placement(const void *caller, size_t size)
{
    struct placement placement = {0, 0};
    struct trail trail;

    if (!is_in(&python, (uintptr_t)caller))
        return placement;
    trail = follow(caller);
    placement.maker = number_of((uintptr_t)caller, trail.makes_bytes ? 0 : trail.next);
    placement.lead = engine_lead(placement.maker, trail.makes_bytes || size % USUAL_UNIT == USUAL_REST);
    return placement;
}
