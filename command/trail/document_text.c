/* SPDX-License-Identifier: MIT */
/* Documents as text, at most 80 columns wide unless names are longer. */
#include <inttypes.h>
#include <string.h>

#include "command/trail/document.h"
#include "command/common/size_text.h"
#include "command/common/value.h"
#include "command/common/wrap.h"

#define SITES_SHOWN 25
#define FILLED_SHOWN 10

static const char *size_of(struct json_object *object, const char *name, char text[SIZE_TEXT])
{
    return size_text(value_integer(object, name), text);
}

/* "93 %", or a dash where nothing is known. */
static const char *percent_of(struct json_object *object, const char *name, char text[SIZE_TEXT])
{
    struct json_object *value = value_of(object, name);

    if (value != NULL)
        snprintf(text, SIZE_TEXT, "%.0f %%", json_object_get_double(value) * 100);
    else
        strcpy(text, "-");
    return text;
}

static void print_reasons(FILE *out, struct json_object *site)
{
    struct json_object *reasons = value_of(site, "reasons");
    char bytes[SIZE_TEXT];

    for (size_t i = 0; i < value_length(reasons); i++) {
        struct json_object *reason = json_object_array_get_idx(reasons, i);

        fputs("      ", out);
        wrap_format(out, 6, 8, "not shared: %" PRId64 " (%s): %s", value_integer(reason, "copies"), size_of(reason, "bytes", bytes),
                    value_text(reason, "words"));
        if (*value_text(reason, "advice") != '\0') {
            fputs("        -> ", out);
            wrap_print(out, 11, 11, value_text(reason, "advice"));
        }
    }
}

static void print_site(FILE *out, struct json_object *site)
{
    char saved[SIZE_TEXT], bytes[SIZE_TEXT], share[SIZE_TEXT], same[SIZE_TEXT];

    fprintf(out, "  %10s %7" PRId64 " %10s %7s %7s  %s\n", size_of(site, "saved_at_peak", saved), value_integer(site, "copies"),
            size_of(site, "bytes", bytes), percent_of(site, "share", share), percent_of(site, "same", same), value_text(site, "where"));
    if (*value_text(site, "source") != '\0')
        fprintf(out, "      %s\n", value_text(site, "source"));
    if (*value_text(site, "via") != '\0')
        fprintf(out, "      by way of %s\n", value_text(site, "via"));
    print_reasons(out, site);
}

static void print_sites(FILE *out, struct json_object *process)
{
    struct json_object *sites = value_of(process, "sites");

    if (value_length(sites) == 0)
        return;
    fprintf(out, "\n  %10s %7s %10s %7s %7s  %s\n", "saved", "copies", "bytes", "share", "same", "copies made at");
    for (size_t i = 0; i < value_length(sites) && i < SITES_SHOWN; i++)
        print_site(out, json_object_array_get_idx(sites, i));
    if (value_length(sites) > SITES_SHOWN)
        fprintf(out, "  and %zu more\n", value_length(sites) - SITES_SHOWN);
}

static void print_filled(FILE *out, struct json_object *process)
{
    struct json_object *filled = value_of(process, "filled");
    char bytes[SIZE_TEXT];

    if (value_length(filled) == 0)
        return;
    fprintf(out, "\n  Filled without a large copy (strided copies, computing, reading):\n");
    for (size_t i = 0; i < value_length(filled) && i < FILLED_SHOWN; i++) {
        struct json_object *site = json_object_array_get_idx(filled, i);

        fprintf(out, "  %7" PRId64 " blocks %10s  %s\n", value_integer(site, "blocks"), size_of(site, "bytes", bytes),
                value_text(site, "where"));
        if (*value_text(site, "source") != '\0')
            fprintf(out, "      %s\n", value_text(site, "source"));
    }
}

static void print_totals(FILE *out, struct json_object *document)
{
    struct json_object *totals = value_of(document, "totals");
    char copied[SIZE_TEXT], could[SIZE_TEXT], native[SIZE_TEXT], shim[SIZE_TEXT];

    if (value_integer(totals, "processes") < 2)
        return;
    wrap_format(out, 0, 0,
                "All %" PRId64
                " processes: %s copied, of which %s can be shared; their peaks add up to %s without the shim and %s with it.",
                value_integer(totals, "processes"), size_of(value_of(totals, "copied"), "bytes", copied),
                size_of(value_of(totals, "could_share"), "bytes", could), size_of(totals, "peaks_native", native),
                size_of(totals, "peaks_shim", shim));
}

static void print_profile(FILE *out, struct json_object *document)
{
    struct json_object *processes = value_of(document, "processes");

    fprintf(out, "cowshim profile: %s\n\n", value_text(document, "command"));
    wrap_print(out, 0, 0, value_text(document, "verdict"));
    print_totals(out, document);
    for (size_t i = 0; i < value_length(processes); i++) {
        struct json_object *process = json_object_array_get_idx(processes, i);

        if (value_length(processes) > 1)
            fprintf(out, "\nprocess %" PRId64 ": %s\n", value_integer(process, "pid"), value_text(process, "command"));
        if (i > 0)
            wrap_print(out, 0, 0, value_text(process, "verdict"));
        if (!value_flag(process, "ended") && *value_text(process, "killed") == '\0')
            fputs("(It did not come to its own end: what follows was seen until then.)\n", out);
        print_sites(out, process);
        print_filled(out, process);
    }
    if (value_length(processes) > 0)
        fputs("\n  saved: at the peak; share: of the bytes, what can be shared; same: pages\n"
              "  that were still the same when the copy was freed or overwritten, by samples.\n",
              out);
}

/* A frame as a word of the format: without the characters that end one. */
static void print_frame(FILE *out, const char *frame)
{
    for (; *frame != '\0'; frame++)
        fputc(*frame == ';' || *frame == '\n' ? ',' : *frame, out);
}

void document_print_folded(FILE *out, struct json_object *document)
{
    struct json_object *processes = value_of(document, "processes");

    for (size_t i = 0; i < value_length(processes); i++) {
        struct json_object *process = json_object_array_get_idx(processes, i);
        struct json_object *stacks = value_of(process, "stacks");

        for (size_t k = 0; k < value_length(stacks); k++) {
            struct json_object *stack = json_object_array_get_idx(stacks, k);
            struct json_object *frames = value_of(stack, "frames");

            if (value_length(processes) > 1)
                fprintf(out, "process %" PRId64 "%s", value_integer(process, "pid"), value_length(frames) > 0 ? ";" : "");
            for (size_t n = value_length(frames); n-- > 0;) {
                print_frame(out, json_object_get_string(json_object_array_get_idx(frames, n)));
                if (n > 0)
                    fputc(';', out);
            }
            fprintf(out, " %" PRId64 "\n", value_integer(stack, "bytes"));
        }
    }
}

static void print_stats(FILE *out, struct json_object *document)
{
    struct json_object *processes = value_of(document, "processes");

    fprintf(out, "cowshim stats: %s\n\n", value_text(document, "command"));
    wrap_print(out, 0, 0, value_text(document, "verdict"));
    for (size_t i = 0; i < value_length(processes); i++) {
        struct json_object *process = json_object_array_get_idx(processes, i);

        fprintf(out, "\nprocess %" PRId64 "\n", value_integer(process, "pid"));
        json_object_object_foreach (process, name, value) {
            if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) != 0 && strcmp(name, "pid") != 0 &&
                strcmp(name, "cowshim") != 0)
                fprintf(out, "  %18" PRId64 "  %s\n", json_object_get_int64(value), name);
        }
    }
}

void document_print_text(FILE *out, struct json_object *document)
{
    (strcmp(value_text(document, "cowshim"), "stats") == 0 ? print_stats : print_profile)(out, document);
}
