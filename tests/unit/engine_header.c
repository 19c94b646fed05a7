/* SPDX-License-Identifier: MIT */
/* The page in front of a block that glibc mapped: gone while copies live, there again for glibc. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/next.h"
#include "engine/engine.h"
#include "engine_unit.h"

#define PAGES 200
#define SIZE (PAGES * page_size)

/* As the shim does it: a page more than asked for, and the first page boundary inside. */
static char *take(void **raw)
{
    char *block;

    mallopt(M_MMAP_THRESHOLD, (int)(64 * page_size));
    *raw = malloc(SIZE + page_size);
    block = (char *)page_up((uintptr_t)*raw);
    CHECK(engine_add(block, SIZE, *raw));
    return block;
}

/* Frees it, as the shim does; glibc knows its size. */
static void give_back(char *block, void *raw)
{
    size_t usable;
    void *got = NULL;

    CHECK(engine_remove(block, &got) && got == raw);
    usable = malloc_usable_size(raw);
    CHECK_AT(usable >= SIZE + page_size && usable < SIZE + 3 * page_size, usable);
    free(raw);
}

static size_t front_pages(const char *block)
{
    return touched_pages(block - page_size, 1);
}

/* Under a sanitizer malloc is another, which keeps an eye on what is in front of a block. */
static void need_glibc(void)
{
    if (!next_is_glibc())
        SKIP("malloc is not glibc's");
}

static void copy_into(char *block)
{
    char *source = unit_block(PAGES);

    unit_fill(source, SIZE, 1);
    CHECK(unit_copy(block, source, SIZE - page_size));
}

TEST(header, a_copy_gives_the_page_back_and_free_finds_its_word)
{
    void *raw;
    char *block;

    unit_start("");
    need_glibc();
    block = take(&raw);
    CHECK_EQ(front_pages(block), 1);
    copy_into(block);
    CHECK_EQ(front_pages(block), 0);
    CHECK(unit_holds(block, SIZE - page_size, 1));
    give_back(block, raw);
}

/* Another thread may be asking glibc with the pointer that it got from us. */
TEST(header, who_was_told_the_pointer_finds_the_word_for_ever)
{
    struct engine_block found;
    size_t usable;
    void *raw;
    char *block;

    unit_start("");
    need_glibc();
    block = take(&raw);
    usable = malloc_usable_size(raw);
    copy_into(block);
    CHECK(engine_look_up(block, &found) && found.raw == raw);
    CHECK_EQ(malloc_usable_size(raw), usable);
    copy_into(block);
    CHECK_EQ(front_pages(block), 1);
    CHECK_EQ(malloc_usable_size(raw), usable);
    give_back(block, raw);
}

TEST(header, a_page_with_anything_else_in_it_stays)
{
    static const size_t places[] = {0, 16, 24, 2000, 4088};

    unit_start("");
    need_glibc();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        void *raw;
        char *block = take(&raw);
        char *page = block - page_size;
        char before = page[places[i]];

        page[places[i]] = 8;
        copy_into(block);
        CHECK_EQ(front_pages(block), 1);
        CHECK_EQ(page[places[i]], 8);
        page[places[i]] = before;
        give_back(block, raw);
    }
}

/* A block in the middle of other memory: what is in front of it is somebody else's. */
TEST(header, a_chunk_that_was_not_mapped_stays)
{
    void *raw;
    char *block;

    unit_start("");
    need_glibc();
    block = take(&raw);
    ((uintptr_t *)raw)[-1] &= ~(uintptr_t)2;
    copy_into(block);
    CHECK_EQ(front_pages(block), 1);
    ((uintptr_t *)raw)[-1] |= 2;
    give_back(block, raw);
}

/* A resized block is another chunk. */
TEST(header, a_block_that_returns_is_looked_at_anew)
{
    void *raw, *got = NULL;
    struct block *record;
    char *block;

    unit_start("");
    need_glibc();
    block = take(&raw);
    copy_into(block);
    CHECK(engine_remove(block, &got));
    CHECK(engine_add(block, SIZE, raw));
    record = engine_withdraw(block);
    CHECK(record != NULL);
    engine_return(record, block, SIZE, raw);
    copy_into(block);
    CHECK_EQ(front_pages(block), 0);
    give_back(block, raw);
}

/* Another allocator's memory is left as it is, whatever it has in front of a block. */
TEST(header, a_pointer_that_is_not_a_header_in_front_of_the_block_stays)
{
    void *got = NULL;
    char *memory, *block;

    unit_start("");
    memory = unit_map(SIZE + 2 * page_size);
    block = memory + 2 * page_size;
    ((uintptr_t *)(void *)(block - page_size))[1] = (SIZE + page_size) | 2;
    CHECK(engine_add(block, SIZE - page_size, memory + 16));
    copy_into(block);
    CHECK_EQ(front_pages(block), 1);
    CHECK(engine_remove(block, &got) && got == memory + 16);
}
