/* SPDX-License-Identifier: MIT */
/* The summary: JSON that a parser reads, with the numbers of what really happened; never longer than its room. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "engine/report/counters.h"
#include "engine/engine.h"
#include "engine_unit.h"
#include "kernel/descriptor.h"

#define PAGES 64
#define SIZE (PAGES * page_size)

/* Reads FILE NAME=NUMBER...; every number must be there, and no name twice. */
static const char script[] = "import json, sys\n"
                             "def once(pairs):\n"
                             "    assert len(dict(pairs)) == len(pairs), 'a name comes twice'\n"
                             "    return dict(pairs)\n"
                             "text = open(sys.argv[1]).read()\n"
                             "assert text.count('\\n') == 1 and text.endswith('\\n'), 'not one line'\n"
                             "found = json.loads(text, object_pairs_hook=once)\n"
                             "found.update({'plain.' + name: copies for name, (copies, size) in found['plain'].items()})\n"
                             "found.update({'bytes.' + name: size for name, (copies, size) in found['plain'].items()})\n"
                             "for word in sys.argv[2:]:\n"
                             "    name, number = word.split('=')\n"
                             "    if found.get(name) != int(number):\n"
                             "        sys.exit(f'{name} is {found.get(name)}, not {number}')\n";

struct wanted {
    char word[64][80];
    size_t count;
};

static void want(struct wanted *wanted, const char *prefix, const char *name, uint64_t number)
{
    snprintf(wanted->word[wanted->count++], sizeof wanted->word[0], "%s%s=%llu", prefix, name, (unsigned long long)number);
}

/* What Python makes of the summary. */
static void read_by_python(const struct wanted *wanted)
{
    char text[4096], path[64];
    char *arguments[80] = {(char *)(uintptr_t) "python3", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, path};
    size_t length = engine_summary(text, sizeof text, true);
    FILE *file = tmpfile();
    int status;
    pid_t child;

    CHECK(file != NULL && fwrite(text, 1, length, file) == length && fflush(file) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
    for (size_t i = 0; i < wanted->count; i++)
        arguments[4 + i] = (char *)(uintptr_t)wanted->word[i];
    unit_capture_begin();
    child = fork();
    if (child == 0) {
        execvp(arguments[0], arguments);
        _exit(127);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    if (status != 0)
        UNIT_FAIL("python3 ended with %#x: %s%s", (unsigned)status, unit_capture_end(), text);
    unit_capture_end();
}

/* On Debian python3 is what tests/apps needs anyway; a small container may have none. */
static void need_python(void)
{
    if (system("python3 -c pass >/dev/null 2>&1") != 0)
        SKIP("no python3");
}

TEST(summary, its_numbers_are_those_of_what_happened)
{
    struct wanted wanted = {.count = 0};
    char *a, *b, *c;

    need_python();
    unit_start("");
    a = unit_block(PAGES);
    b = unit_block(PAGES);
    c = unit_block(PAGES);
    unit_fill(a, SIZE, 1);
    CHECK(unit_copy(b, a, SIZE));
    CHECK(unit_copy(c + 100, a + 100, SIZE - 200));
    CHECK(!unit_copy(c + 1, a, SIZE - 1));
    CHECK(!unit_copy(c, a + 1, SIZE - 1));
    CHECK(!unit_copy(unit_map(SIZE), a, SIZE));
    want(&wanted, "", "cowshim", 1);
    want(&wanted, "", "pid", (uint64_t)getpid());
    want(&wanted, "", "blocks", 3);
    want(&wanted, "", "views", 2); /* the plain copies dropped c's */
    want(&wanted, "", "stores", 1);
    want(&wanted, "", "store_bytes", SIZE);
    want(&wanted, "", "descriptors", descriptor_count());
    want(&wanted, "", "copies_shared", 2);
    want(&wanted, "", "bytes_shared", SIZE + SIZE - 2 * page_size);
    want(&wanted, "", "bytes_edges", 2 * page_size - 200);
    want(&wanted, "", "sealed_bytes", SIZE);
    want(&wanted, "", "seals", 1);
    want(&wanted, "", "seal_failures", 0);
    want(&wanted, "", "blocks_added", 3);
    want(&wanted, "", "stores_opened", 1);
    want(&wanted, "", "views_dropped", SIZE - 2 * page_size);
    want(&wanted, "plain.", "incongruent", 2);
    want(&wanted, "bytes.", "incongruent", 2 * (SIZE - 1));
    want(&wanted, "plain.", "not_target", 1);
    want(&wanted, "bytes.", "not_target", SIZE);
    want(&wanted, "plain.", "nested", 0);
    read_by_python(&wanted);
}

/* Every counter and every reason is there, each with its own number, however large. */
TEST(summary, every_counter_and_reason_is_there_with_its_own_number)
{
    struct wanted wanted = {.count = 0};

    need_python();
    unit_start("");
    for (int i = 0; i < COUNTERS; i++) {
        counter_add((enum counter)i, UINT64_MAX - (uint64_t)i);
        want(&wanted, "", counter_name((enum counter)i), UINT64_MAX - (uint64_t)i);
    }
    for (int i = 0; i < REASONS; i++) {
        reason_add((enum reason)i, UINT64_MAX - 100 - (uint64_t)i);
        want(&wanted, "plain.", reason_name((enum reason)i), 1);
        want(&wanted, "bytes.", reason_name((enum reason)i), UINT64_MAX - 100 - (uint64_t)i);
    }
    read_by_python(&wanted);
}

TEST(summary, short_room_is_not_overrun)
{
    char text[4096 + 1];

    unit_start("");
    for (int i = 0; i < REASONS; i++)
        reason_add((enum reason)i, UINT64_MAX);
    for (int json = 0; json < 2; json++)
        for (size_t size = 1; size <= 4096; size += 1 + size / 16) {
            size_t length;

            bytes_fill(text, 'x', sizeof text);
            length = engine_summary(text, size, json);
            CHECK_AT(length < size && text[length] == '\0', size);
            CHECK_AT(strlen(text) == length && text[size] == 'x', size);
        }
}

/* Nothing to tell is told to nobody; a large allocation is something for programs only. */
TEST(summary, without_a_large_copy_it_is_silent)
{
    char text[4096];

    unit_start("");
    CHECK_EQ(engine_summary(text, sizeof text, false), 0);
    CHECK_EQ(engine_summary(text, sizeof text, true), 0);
    unit_block(PAGES);
    CHECK_EQ(engine_summary(text, sizeof text, false), 0);
    CHECK(engine_summary(text, sizeof text, true) > 0);
}

/* For people: what happened, and nothing that did not. */
TEST(summary, the_text_says_what_happened_only)
{
    char text[4096], *other;

    unit_start("");
    sealed_block(PAGES, 1, &other);
    engine_summary(text, sizeof text, false);
    CHECK(strstr(text, counter_words(COUNT_copies_shared)) != NULL);
    CHECK(strstr(text, counter_words(COUNT_blocks_lost)) == NULL);
    CHECK(strstr(text, reason_words(REASON_incongruent)) == NULL);
    unit_copy(other + 1, other + SIZE / 2, SIZE / 4);
    engine_summary(text, sizeof text, false);
    CHECK(strstr(text, reason_words(REASON_incongruent)) != NULL);
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1)
        CHECK(strchr(line, '\n') != NULL);
}
