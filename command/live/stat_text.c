/* SPDX-License-Identifier: MIT */
#include "command/live/stat_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernel/map.h"
#include "command/live/scene_read.h"
#include "command/common/size_text.h"
#include "command/common/wrap.h"

#define LABEL 11
#define REMARK (2 + LABEL + 1 + 10 + 2) /* the column of remarks */
#define WORDS (2 + LABEL + 1 + 12 + 2)  /* and of what became of copies */

static uint64_t seconds_since(uint64_t then)
{
    struct timespec now = {0, 0};

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec > then / 1000000000 ? (uint64_t)now.tv_sec - then / 1000000000 : 0;
}

static void print_line(const char *label, int64_t bytes, const char *remark)
{
    char text[SIZE_TEXT];

    printf("  %-*s %10s  ", LABEL, label, size_text(bytes, text));
    wrap_print(stdout, REMARK, REMARK, remark);
}

static void print_arrays(const struct member *member)
{
    const struct figures *f = &member->figures;
    char remark[160], a[SIZE_TEXT], b[SIZE_TEXT];
    int64_t saved = figures_saved(f);

    snprintf(remark, sizeof remark, "in %zu array%s asked for%s", f->arrays, f->arrays == 1 ? "" : "s",
             member->process.header.unlisted > 0 ? ", and more that are not listed" : "");
    print_line("size", (int64_t)f->asked, remark);
    print_line("logical", (int64_t)f->logical, "what these would take without the shim");
    snprintf(remark, sizeof remark, "what they take: %s private, %s in stores", size_text((int64_t)f->own, a),
             size_text((int64_t)f->stored, b));
    print_line("cost", (int64_t)figures_cost(f), remark);
    snprintf(remark, sizeof remark, "%.0f %% of logical", f->logical == 0 ? 0 : 100 * (double)saved / (double)f->logical);
    print_line("saved", saved, remark);
    print_line("process", (int64_t)(f->anonymous + f->stored), "all private memory of the process, and its stores");
    snprintf(remark, sizeof remark, "page tables; resident set %s, which counts by views", size_text((int64_t)f->resident, b));
    print_line("", (int64_t)f->page_tables, remark);
}

/* The other processes that show a store of this one. */
static void print_relatives(const struct scene *scene, const struct member *member)
{
    for (size_t m = 0; m < scene->member_count; m++) {
        const struct member *other = &scene->members[m];
        bool shares = false;

        for (size_t i = 0; i < other->view_count && !shares; i++)
            shares = scene_member_has_store(member, other->views[i].store);
        if (other != member && shares)
            printf("%*sprocess %d (%s) shows some of these stores, too\n", REMARK, "", (int)other->process.pid, other->process.name);
    }
}

static void print_stores(const struct scene *scene, const struct member *member)
{
    const struct figures *f = &member->figures;
    char remark[160], text[SIZE_TEXT];

    snprintf(remark, sizeof remark, "in %zu store%s; %s of it dead: shown by nobody", f->stores, f->stores == 1 ? "" : "s",
             size_text((int64_t)f->dead, text));
    print_line("stores", (int64_t)f->stored, remark);
    print_relatives(scene, member);
    print_line("sealed", (int64_t)process_count(&member->process, "sealed_bytes"), "moved into stores so far");
    print_line("faulted", (int64_t)f->rewritten, "back: private now, shared until it was written");
    print_line("reclaimed", (int64_t)process_count(&member->process, "reclaimed_bytes"), "dead store pages given back so far");
    printf("  %-*s %7llu ms  of processor time lost by sharing, and %llu ms won\n", LABEL, "time",
           (unsigned long long)process_count(&member->process, "lost_us") / 1000,
           (unsigned long long)process_count(&member->process, "won_us") / 1000);
    printf("  %-*s %10zu  ", LABEL, "mappings", f->mappings);
    wrap_format(stdout, REMARK, REMARK, "of %zu, %zu of them views of stores; %u descriptors", map_limit(), f->views,
                member->process.header.descriptors);
}

static void print_copies(const struct process *process)
{
    struct count reasons[PROCESS_REASONS];
    size_t count = process_list_reasons(process, reasons);
    char text[SIZE_TEXT];

    printf("\n  large copies\n  %*llu %12s  mapped\n", LABEL, (unsigned long long)process_count(process, "copies_shared"),
           size_text((int64_t)process_count(process, "bytes_shared"), text));
    for (size_t i = 0; i < count; i++) {
        printf("  %*llu %12s  ", LABEL, (unsigned long long)reasons[i].number, size_text((int64_t)reasons[i].bytes, text));
        wrap_format(stdout, WORDS, WORDS, "plain: %s", process_words(reasons[i].name));
    }
    if (process_count(process, "seal_failures") > 0) {
        printf("  %*llu %12s  ", LABEL, (unsigned long long)process_count(process, "seal_failures"), "");
        wrap_print(stdout, WORDS, WORDS, process_words("seal_failures"));
    }
}

void stat_print(const struct scene *scene, const struct member *member)
{
    const struct process *process = &member->process;
    char size[SIZE_TEXT], time[SIZE_TEXT];

    wrap_format(stdout, 0, 2, "%s (%d): cowshim %s, policy %s, arrays and copies from %s on, since %s", process->name, (int)process->pid,
                process->header.release, process->header.policy, size_text((int64_t)process->header.min_size, size),
                time_text(seconds_since(process->header.opened), time));
    putchar('\n');
    print_arrays(member);
    putchar('\n');
    print_stores(scene, member);
    print_copies(process);
}

static void print_row(const char *pid, const char *name, const struct figures *f, uint64_t mapped, uint64_t plain)
{
    char logical[SIZE_TEXT], cost[SIZE_TEXT], saved[SIZE_TEXT];

    printf("%7s %-12.12s %6zu %10s %10s %10s %3.0f%% %6llu %6llu\n", pid, name, f->arrays, size_text((int64_t)f->logical, logical),
           size_text((int64_t)figures_cost(f), cost), size_text(figures_saved(f), saved),
           f->logical == 0 ? 0 : 100 * (double)figures_saved(f) / (double)f->logical, (unsigned long long)mapped,
           (unsigned long long)plain);
}

void stat_print_all(const struct scene *scene, size_t named, size_t forbidden)
{
    uint64_t mapped = 0, plain = 0;
    char pid[24];

    printf("%7s %-12s %6s %10s %10s %10s %4s %6s %6s\n", "PID", "NAME", "ARRAYS", "LOGICAL", "COST", "SAVED", "", "MAPPED", "PLAIN");
    for (size_t i = 0; i < named; i++) {
        const struct process *process = &scene->members[i].process;

        if (process->state != PROCESS_OPEN)
            continue;
        snprintf(pid, sizeof pid, "%d", (int)process->pid);
        print_row(pid, process->name, &scene->members[i].figures, process_count(process, "copies_shared"), process_plain_copies(process));
        mapped += process_count(process, "copies_shared");
        plain += process_plain_copies(process);
    }
    print_row("", "all", &scene->figures, mapped, plain);
    if (forbidden > 0)
        printf("%zu process%s may not be read\n", forbidden, forbidden == 1 ? "" : "es");
}
