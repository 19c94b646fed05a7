/* SPDX-License-Identifier: MIT */
/* What a process's page says, in words. */
#include <stdlib.h>
#include <string.h>

#include "command/common/command.h"
#include "command/common/process.h"

static const char *const names[][2] = {
#define COUNTER(name, words) {#name, words},
#include "engine/report/counters.def"
#undef COUNTER
#define REASON(name, words) {#name, words},
#include "engine/report/reasons.def"
#undef REASON
};

const char *process_words(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], name) == 0)
            return names[i][1];
    return name;
}

uint64_t process_count(const struct process *process, const char *name)
{
    for (size_t i = 0; process->counts != NULL && i < process->header.counters + process->header.reasons; i++)
        if (strcmp(process->counts[i].name, name) == 0)
            return process->counts[i].number;
    return 0;
}

const struct count *process_reasons(const struct process *process)
{
    return process->counts + process->header.counters;
}

uint64_t process_plain_copies(const struct process *process)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < process->header.reasons; i++)
        sum += process_reasons(process)[i].number;
    return sum;
}

static int by_bytes(const void *a, const void *b)
{
    const struct count *one = a, *other = b;

    return (one->bytes < other->bytes) - (one->bytes > other->bytes);
}

size_t process_list_reasons(const struct process *process, struct count reasons[PROCESS_REASONS])
{
    size_t count = 0;

    for (unsigned i = 0; i < process->header.reasons && count < PROCESS_REASONS; i++)
        if (process_reasons(process)[i].number > 0)
            reasons[count++] = process_reasons(process)[i];
    qsort(reasons, count, sizeof *reasons, by_bytes);
    return count;
}

void process_explain(const struct process *process)
{
    int pid = (int)process->pid;
    const char *name = process->name;

    switch (process->state) {
    case PROCESS_OPEN:
        break;
    case PROCESS_GONE:
        message_error("there is no process %d", pid);
        break;
    case PROCESS_FORBIDDEN:
        message_error("process %d (%s) may not be read: it is another user's, or protected; try as that user or as root", pid, name);
        break;
    case PROCESS_STRANGER:
        message_error("process %d (%s) runs without the shim; start it by 'cowshim run'", pid, name);
        break;
    case PROCESS_OFF:
        message_error("process %d (%s) was started with COWSHIM_MODE=off", pid, name);
        break;
    case PROCESS_LEFT_OUT:
        message_error("process %d (%s) has nothing to show: it made no large allocation yet, or COWSHIM_PROGRAMS leaves it out", pid, name);
        break;
    case PROCESS_ASLEEP:
        message_error("process %d (%s) has nothing to show: it made no large allocation yet (see COWSHIM_MIN_SIZE)", pid, name);
        break;
    case PROCESS_CHILD:
        message_error("process %d (%s) is a copy of process %d, and has made no large allocation or copy of its own yet", pid, name,
                      (int)process->parent_page);
        break;
    case PROCESS_OTHER:
        message_error("process %d (%s) shows itself in version %u of the page, and this command knows version %u: use the "
                      "command of the same release as the library",
                      pid, name, process->page_version, EXPORT_VERSION);
        break;
    case PROCESS_BROKEN:
        message_error("process %d (%s) has something called " EXPORT_NAME " that is none of ours", pid, name);
        break;
    }
}
