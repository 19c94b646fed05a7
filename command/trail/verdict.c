/* SPDX-License-Identifier: MIT */
/* The verdict: one or two sentences that need no table. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/trail/findings.h"
#include "command/common/size_text.h"

/* Below these a lower peak is not worth a word. */
#define LEAST_SHARE 0.05
#define LEAST_BYTES ((uint64_t)1 << 20)

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static void write_place(FILE *out, const struct place_words *place)
{
    if (place->file != NULL)
        fprintf(out, "line %d of %s", place->line, base_name(place->file));
    else
        fputs(place->where, out);
}

/* What is saved by all copies of one line of the program, whatever of a library it calls; 0 where an earlier site is of that line. */
static double saved_by_line(const struct findings *findings, unsigned number)
{
    const char *where = findings->sites[number].place->where;
    double saved = 0;

    for (unsigned i = 0; i < findings->site_count; i++) {
        const struct site *site = &findings->sites[i];

        if (site->apart || strcmp(site->place->where, where) != 0)
            continue;
        if (i < number)
            return 0;
        saved += site->saved;
    }
    return saved;
}

/* ": line 41 of model.py is 80 % of it, line 9 of load.py 15 %." */
static void write_sites(FILE *out, const struct findings *findings)
{
    unsigned told = 0;

    for (unsigned i = 0; told < 2 && i < findings->site_count && findings->saved > 0; i++) {
        double share = saved_by_line(findings, i) / findings->saved;

        if (share < 0.1)
            continue;
        fputs(told == 0 ? ": " : ", ", out);
        write_place(out, findings->sites[i].place);
        fprintf(out, told++ == 0 ? " is %.0f %% of it" : " %.0f %%", share * 100);
    }
    fputs(".", out);
}

static void write_help(FILE *out, const struct findings *findings)
{
    char native[SIZE_TEXT], shim[SIZE_TEXT];
    bool apply = findings->trail->begin->apply != 0;

    fprintf(out, apply ? "The shim lowered the peak from %s%s to %s" : "The shim would lower the peak from %s%s to %s",
            findings->killed != NULL ? "at least " : "", size_text((int64_t)findings->simulation.peak_native, native),
            size_text((int64_t)findings->simulation.peak_shim, shim));
    write_sites(out, findings);
    if (findings->trail->cut)
        fputs(" There was no room to record all of the run.", out);
}

/* The reason for which the most bytes were copied plainly. */
static unsigned worst_reason(const struct findings *findings)
{
    unsigned worst = FINDINGS_SMALL;

    for (unsigned i = 0; i < FINDINGS_REASONS; i++)
        if (i != REASON_none && findings->by_reason[i].bytes > findings->by_reason[worst].bytes)
            worst = i;
    return worst;
}

static double share_of(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

/* Nothing, or next to nothing. */
static void write_no_copies(FILE *out, const struct findings *findings)
{
    unsigned long long blocks = findings->blocks;
    char bytes[SIZE_TEXT];

    if (findings->all.count == 0)
        fputs("the program made no large copy", out);
    else
        fprintf(out, "the program made no large copies to speak of (%s)", size_text((int64_t)findings->all.bytes, bytes));
    if (blocks == 0)
        fputs(" and no large allocation.", out);
    else
        fprintf(out, "; its %llu large allocation%s filled by computing, reading, or copying piece by piece.", blocks,
                blocks == 1 ? " was" : "s were");
}

static void write_plain(FILE *out, const struct findings *findings)
{
    unsigned worst = worst_reason(findings);
    double share = share_of(findings->by_reason[worst].bytes, findings->all.bytes);

    if (worst == FINDINGS_SMALL)
        fprintf(out, "%.0f %% of what it copies is in pieces smaller than COWSHIM_MIN_SIZE.", share);
    else if (worst == REASON_unlikely)
        fprintf(out, "%.0f %% of what it copies comes from places whose copies are rewritten.", share);
    else
        fprintf(out, "%.0f %% of what it copies cannot be shared (%s).", share, findings_reason_words(worst));
}

/* "0.3 s", "17 s": since the start. */
static const char *seconds_text(double seconds, char text[SIZE_TEXT])
{
    snprintf(text, SIZE_TEXT, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
    return text;
}

/* It saves much, but not when it would have to; or then, too, but memory is nearly as large at another time. */
static void write_when(FILE *out, const struct findings *findings)
{
    const struct simulation *simulation = &findings->simulation;
    char saved[SIZE_TEXT], peak[SIZE_TEXT], most[SIZE_TEXT], then[SIZE_TEXT];
    bool elsewhere = findings->saved >= LEAST_SHARE * (double)simulation->peak_native;

    fprintf(out, "it would save %s, but at %s; ", size_text((int64_t)simulation->most_saved, saved),
            seconds_text(simulation->most_seconds, most));
    if (elsewhere)
        fprintf(out, "at %s memory would be %s all the same.", seconds_text(simulation->peak_shim_seconds, then),
                size_text((int64_t)simulation->peak_shim, peak));
    else
        fprintf(out, "the peak of %s is at %s.", size_text((int64_t)simulation->peak_native, peak),
                seconds_text(simulation->peak_seconds, then));
}

static void write_because(FILE *out, const struct findings *findings)
{
    const struct simulation *simulation = &findings->simulation;
    char saved[SIZE_TEXT], peak[SIZE_TEXT];

    size_text((int64_t)simulation->most_saved, saved);
    size_text((int64_t)simulation->peak_native, peak);
    if ((double)findings->all.bytes < LEAST_SHARE * (double)simulation->peak_native || findings->all.count == 0)
        write_no_copies(out, findings);
    else if (findings->by_reason[REASON_none].bytes * 2 < findings->all.bytes)
        write_plain(out, findings);
    else if (simulation->most_saved >= LEAST_SHARE * (double)simulation->peak_native)
        write_when(out, findings);
    else if (findings->known > 0 && findings->same * 2 < findings->known)
        fprintf(out, "its copies are rewritten: %.0f %% of their pages are still the same when they end.",
                share_of(findings->same, findings->known));
    else
        fprintf(out,
                "its copies do not live at the same time as what they are copies of, or are small: they would save %s of a peak "
                "of %s.",
                saved, peak);
}

/* Where time decides what is shared, the prediction holds for the prices of now. */
static void write_choice(FILE *out, const struct findings *findings)
{
    const struct simulation *simulation = &findings->simulation;
    char peak[SIZE_TEXT];
    uint64_t less = simulation->peak_shim > findings->peak_of_memory ? simulation->peak_shim - findings->peak_of_memory : 0;

    if (findings->peak_of_memory == 0 || less < LEAST_BYTES || (double)less < LEAST_SHARE * (double)simulation->peak_native)
        return;
    fprintf(out,
            " The rest depends on what sharing costs in time, which the shim learns while the program runs; with --policy memory the peak "
            "would be %s.",
            size_text((int64_t)findings->peak_of_memory, peak));
}

char *verdict_write(const struct findings *findings)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        return NULL;
    if (findings->killed != NULL)
        fprintf(out, "The program was %s; this is of its run until then. ", findings->killed);
    if (findings->helps) {
        write_help(out, findings);
    } else {
        fputs(findings->trail->begin->apply != 0 ? "The shim did not lower the peak, because "
                                                 : "The shim would not lower the peak, because ",
              out);
        write_because(out, findings);
    }
    write_choice(out, findings);
    fclose(out);
    return text;
}

bool verdict_helps(const struct findings *findings)
{
    const struct simulation *simulation = &findings->simulation;
    uint64_t gain = simulation->peak_native > simulation->peak_shim ? simulation->peak_native - simulation->peak_shim : 0;

    return gain >= LEAST_BYTES && (double)gain >= LEAST_SHARE * (double)simulation->peak_native;
}
