/* SPDX-License-Identifier: MIT */
/* The summary for COWSHIM_STATS. */
#include <stdarg.h>
#include <stdio.h>

#include "engine/block/block.h"
#include "engine/engine.h"
#include "engine/process/entry.h"
#include "engine/report/counters.h"
#include "engine/report/savings.h"
#include "engine/store/extent.h"
#include "engine/store/store.h"
#include "kernel/descriptor.h"
#include "base/sys.h"

#include "base/poison.h"

/* At most so many bytes of the command line are told, */
#define COMMAND_SIZE 800
#define COMMAND_SHOWN 72 /* and so many to people, without the program's folder */

struct page_text {
    char *text;
    size_t size, used;
};

static void put(struct page_text *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct page_text *page, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(page->text + page->used, page->size - page->used, format, arguments);
    va_end(arguments);
    if (length > 0)
        page->used += (size_t)length < page->size - page->used ? (size_t)length : page->size - page->used - 1;
}

/* The length of the UTF-8 character that begins here, or 1 where there is no whole one. */
static size_t character(const char *text, size_t length)
{
    unsigned char lead = (unsigned char)text[0];
    size_t size = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;

    if (lead < 0xc2 || lead >= 0xf5 || size > length)
        return 1;
    for (size_t i = 1; i < size; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 1;
    return size;
}

/* As the inside of a JSON string; what is no UTF-8 becomes a question mark. */
static void put_escaped(struct page_text *page, const char *text, size_t length)
{
    while (length > 0) {
        size_t size = character(text, length);
        unsigned char byte = (unsigned char)*text;

        if (size == 1 && (byte == '"' || byte == '\\'))
            put(page, "\\%c", byte);
        else if (size == 1 && byte < ' ')
            put(page, "\\u%04x", byte);
        else if (size == 1 && byte >= 0x80)
            put(page, "?");
        else
            put(page, "%.*s", (int)size, text);
        text += size;
        length -= size;
    }
}

/* The words of the command line, each with a NUL behind it. */
struct command {
    char words[COMMAND_SIZE];
    size_t length;
};

static void read_command(struct command *command)
{
    long length = sys_read_file("/proc/self/cmdline", command->words, COMMAND_SIZE);

    command->length = length > 0 ? (size_t)length : 0;
}

static void put_argv(struct page_text *page, const struct command *command)
{
    size_t start = 0;

    put(page, ",\"argv\":[");
    for (size_t i = 0; i < command->length; i++) {
        bool last = i + 1 == command->length;

        if (command->words[i] != '\0' && !last)
            continue;
        put(page, start == 0 ? "\"" : ",\"");
        put_escaped(page, command->words + start, i - start + (command->words[i] != '\0'));
        put(page, "\"");
        start = i + 1;
    }
    put(page, "]");
}

struct figures {
    size_t stores;
    uint64_t allocated, nanoseconds;
    struct savings peak;
    struct command command;
};

static void put_json(struct page_text *page, const struct figures *figures)
{
    put(page, "{\"cowshim\":1,\"pid\":%ld", sys_process());
    put_argv(page, &figures->command);
    put(page, ",\"seconds\":%llu.%03llu,\"peak_memory\":%llu,\"peak_saved\":%llu", (unsigned long long)(figures->nanoseconds / 1000000000),
        (unsigned long long)(figures->nanoseconds / 1000000 % 1000), (unsigned long long)figures->peak.memory,
        (unsigned long long)figures->peak.saved);
    put(page, ",\"blocks\":%zu,\"views\":%zu,\"stores\":%zu,\"store_bytes\":%llu,\"descriptors\":%u", block_count(), extent_count(),
        figures->stores, (unsigned long long)figures->allocated, descriptor_count());
    for (int i = 0; i < COUNTERS; i++)
        put(page, ",\"%s\":%llu", counter_name(i), (unsigned long long)counter_read(i));
    put(page, ",\"plain\":{");
    for (int i = 0; i < REASONS; i++)
        put(page, "%s\"%s\":[%llu,%llu]", i == 0 ? "" : ",", reason_name(i), (unsigned long long)reason_copies(i),
            (unsigned long long)reason_bytes(i));
    put(page, "}}\n");
}

/* Mebibytes with one digit behind the point. */
#define MIB(bytes) (unsigned long long)((bytes) >> 20), (unsigned long long)(((bytes)&0xfffff) * 10 >> 20)

/* "python3 model.py": in one line, and not long. */
static void put_name(struct page_text *page, const struct command *command)
{
    size_t length = command->length, start = 0;

    while (length > 0 && command->words[length - 1] == '\0')
        length--;
    for (size_t i = 0; i < length && command->words[i] != '\0'; i++)
        if (command->words[i] == '/')
            start = i + 1;
    for (size_t i = start; i < length && i - start < COMMAND_SHOWN; i++)
        put(page, "%c", (unsigned char)command->words[i] < ' ' ? ' ' : command->words[i]);
    if (length - start > COMMAND_SHOWN)
        put(page, "...");
    put(page, " (process %ld)", sys_process());
}

static void put_counter(struct page_text *page, enum counter counter)
{
    static const char bytes[] = "bytes ";
    const char *words = counter_words(counter);
    size_t same = 0;

    while (same < sizeof bytes - 1 && words[same] == bytes[same])
        same++;
    if (same == sizeof bytes - 1)
        put(page, "%12llu.%llu MiB  %s\n", MIB(counter_read(counter)), words + same);
    else
        put(page, "%18llu  %s\n", (unsigned long long)counter_read(counter), words);
}

static void put_text(struct page_text *page, const struct figures *figures)
{
    put(page, "cowshim: ");
    put_name(page, &figures->command);
    if (figures->peak.saved > 0)
        put(page, ":\ncowshim: saved %llu.%llu MiB at the peak: %llu.%llu MiB instead of %llu.%llu MiB\n", MIB(figures->peak.saved),
            MIB(figures->peak.memory), MIB(figures->peak.memory + figures->peak.saved));
    else
        put(page, ":\ncowshim: saved nothing\n");
    for (int i = 0; i < COUNTERS; i++)
        if (counter_read(i) != 0)
            put_counter(page, i);
    for (int i = 0; i < REASONS; i++)
        if (reason_copies(i) != 0)
            put(page, "%18llu  plain copies (%llu.%llu MiB): %s\n", (unsigned long long)reason_copies(i), MIB(reason_bytes(i)),
                reason_words(i));
}

static bool copied_anything(void)
{
    uint64_t copies = counter_read(COUNT_copies_shared);

    for (int i = 0; i < REASONS; i++)
        copies += reason_copies(i);
    return copies > 0;
}

size_t engine_summary(char *text, size_t size, bool json)
{
    struct page_text page = {text, size, 0};
    struct figures figures;
    struct entry entry;

    text[0] = '\0';
    if (!copied_anything() && !(json && counter_read(COUNT_blocks_added) > 0))
        return 0;
    figures.peak = (struct savings){0, 0};
    if (entry_begin_quiet(&entry)) {
        figures.peak = savings_peak();
        entry_end(&entry);
    }
    figures.nanoseconds = savings_nanoseconds();
    read_command(&figures.command);
    store_totals(&figures.stores, &figures.allocated);
    (json ? put_json : put_text)(&page, &figures);
    return page.used;
}
