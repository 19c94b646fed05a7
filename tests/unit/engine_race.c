/* SPDX-License-Identifier: MIT */
/* Writers that never stop while their block is copied: no write is lost, and a copy holds what the source held at some moment,
   word by word. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine_unit.h"

#define PAGES 512
#define COPIES (UNIT_TSAN || UNIT_ASAN ? 30u : 100u)

struct race {
    char *block;
    _Atomic bool stop;
    _Atomic unsigned long writes;
    unsigned long lost;
};

static _Atomic uint64_t *word_of(char *block, size_t page)
{
    return (_Atomic uint64_t *)(void *)(block + page * page_size + page % 8 * 64);
}

/* Every page gets its own rising numbers; each must be there still when the writer comes back. */
static void *write_for_ever(void *argument)
{
    struct race *race = argument;
    uint64_t last[PAGES] = {0};

    for (uint64_t value = 1; !race->stop; value++) {
        size_t page = value * 7 % PAGES;
        _Atomic uint64_t *word = word_of(race->block, page);

        race->lost += atomic_load_explicit(word, memory_order_relaxed) != last[page];
        last[page] = value;
        atomic_store_explicit(word, value, memory_order_relaxed);
        race->writes++;
    }
    for (size_t page = 0; page < PAGES; page++)
        race->lost += *word_of(race->block, page) != last[page];
    return NULL;
}

/* No word may be newer than the source's is now, or older than in the copy before. */
static void check_copy(char *copy, uint64_t *before, char *source)
{
    for (size_t page = 0; page < PAGES; page++) {
        uint64_t value = *word_of(copy, page);

        CHECK_AT(value >= before[page] && value <= *word_of(source, page), page);
        before[page] = value;
    }
}

/* The mprotect guard declines while TSan's own thread is there, which blocks every signal. */
static void race_with(const char *internal)
{
    struct race race = {NULL, false, 0, 0};
    uint64_t before[PAGES] = {0};
    unsigned shared = 0;
    pthread_t thread;
    char *copy;

    unit_start(internal);
    unit_alone();
    race.block = unit_block(PAGES);
    pthread_create(&thread, NULL, write_for_ever, &race);
    while (race.writes < 4 * PAGES) /* every page is there */
        ;
    copy = unit_block(PAGES);
    while (shared < COPIES && engine_copy(copy, race.block, PAGES * page_size, NULL) == COPIED_SHARED) {
        unsigned long writes = race.writes;

        check_copy(copy, before, race.block);
        while (race.writes < writes + PAGES) /* private again */
            ;
        shared++;
    }
    race.stop = true;
    pthread_join(thread, NULL);
    CHECK_EQ(race.lost, 0);
    CHECK(shared == COPIES || (UNIT_TSAN && reason_copies(REASON_no_guard) == 1));
}

TEST(race, no_write_is_lost_while_userfaultfd_holds_writers)
{
    race_with("");
}

TEST(race, no_write_is_lost_while_mprotect_holds_writers)
{
    race_with("uffd-off");
}

TEST(race, no_write_is_lost_on_an_old_kernel)
{
    race_with("uffd-off,scan-off,vma-off,tmpfs-off");
}
