/* SPDX-License-Identifier: MIT */
#include "command/common/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "command/common/command.h"
#include "engine/report/counters.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define LINK "/memfd:" EXPORT_NAME " (deleted)"
#define LIBRARY "/libcowshim.so"

/* No page that this command can read is larger. */
#define COUNTS_MOST 1024u
#define SLOTS_MOST (1u << 20)

char *process_file(pid_t pid, const char *name, size_t *size)
{
    char path[64];
    char *text = NULL;
    size_t room = 0, used = 0;
    ssize_t got;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    do {
        if (room - used < 4096) {
            char *more = realloc(text, room = room * 2 + 16384);

            if (more == NULL)
                break;
            text = more;
        }
        got = read(fd, text + used, room - used - 1);
        if (got > 0)
            used += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    close(fd);
    if (text != NULL)
        text[used] = '\0';
    if (used == 0) { /* a zombie, or gone since */
        free(text);
        errno = ESRCH;
        return NULL;
    }
    if (size != NULL)
        *size = used;
    return text;
}

void process_each(bool (*visit)(pid_t pid, void *context), void *context)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    bool more = folder != NULL;

    while (more && (entry = readdir(folder)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]))
            more = visit((pid_t)strtol(entry->d_name, NULL, 10), context);
    if (folder != NULL)
        closedir(folder);
}

/* "/#17 (deleted)": a file without a name at the root of a mount that has no place; ours is the only such mount that we know of. */
bool process_names_store(const char *path)
{
    size_t digits;

    if (strcmp(path, "/memfd:cowshim (deleted)") == 0)
        return true;
    if (strncmp(path, "/#", 2) != 0)
        return false;
    digits = strspn(path + 2, "0123456789");
    return digits > 0 && strcmp(path + 2 + digits, " (deleted)") == 0;
}

static void read_name(struct process *process)
{
    char *text = process_file(process->pid, "comm", NULL);

    if (text != NULL)
        snprintf(process->name, sizeof process->name, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
}

/* The id that the process has in its own namespace. */
static pid_t own_id(pid_t pid)
{
    char *text = process_file(pid, "status", NULL);
    char *line = text == NULL ? NULL : strstr(text, "\nNSpid:");
    char *end = line == NULL ? NULL : strchr(line + 1, '\n');

    if (end != NULL) {
        *end = '\0';
        pid = (pid_t)strtol(strrchr(line, '\t'), NULL, 10);
    }
    free(text);
    return pid;
}

/* The page's descriptor among those of the process; -1: none. */
static int find_page(pid_t pid)
{
    char path[64];
    DIR *folder;
    struct dirent *entry;
    int fd = -1;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    while (folder != NULL && fd < 0 && (entry = readdir(folder)) != NULL) {
        char link[sizeof LINK + 1];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link);

        if (length == sizeof LINK - 1 && memcmp(link, LINK, sizeof LINK - 1) == 0)
            fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC);
    }
    if (folder != NULL)
        closedir(folder);
    return fd;
}

/* Where the program closed the descriptor the mapping is still there. Following map_files takes CAP_CHECKPOINT_RESTORE. */
static int find_mapped_page(struct process *process, const char *maps)
{
    const char *found = strstr(maps, LINK);
    unsigned long start, end;
    char path[96];

    while (found != NULL && found > maps && found[-1] != '\n')
        found--;
    if (found == NULL || sscanf(found, "%lx-%lx", &start, &end) != 2)
        return -1;
    process->page_address = start;
    snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", (int)process->pid, start, end);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* Sealed by its owner: otherwise it is something else of that name. */
static bool is_sealed(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && (seals & F_SEAL_FUTURE_WRITE) != 0;
}

static bool get(const struct process *process, uint64_t offset, void *to, size_t size)
{
    struct iovec local = {to, size};
    struct iovec remote = {(void *)(process->page_address + offset), size};

    if (process->page_fd >= 0)
        return pread(process->page_fd, to, size, (off_t)offset) == (ssize_t)size;
    return process_vm_readv(process->pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static enum process_state check_header(struct process *process)
{
    const struct export_header *header = &process->header;

    if (header->magic != EXPORT_MAGIC)
        return PROCESS_BROKEN;
    process->page_version = header->version;
    if (header->version != EXPORT_VERSION)
        return PROCESS_OTHER;
    if (header->count_size != sizeof(struct count) || header->block_size != sizeof(struct export_block) || header->counters > COUNTS_MOST ||
        header->reasons > COUNTS_MOST || header->blocks_end > header->block_slots || header->block_slots > SLOTS_MOST ||
        header->page_size != (uint32_t)sysconf(_SC_PAGESIZE))
        return PROCESS_BROKEN;
    return PROCESS_OPEN;
}

static int compare_blocks(const void *a, const void *b)
{
    uint64_t one = ((const struct export_block *)a)->address;
    uint64_t other = ((const struct export_block *)b)->address;

    return (one > other) - (one < other);
}

static bool read_blocks(struct process *process)
{
    size_t slots = process->header.blocks_end;
    struct export_block *blocks = calloc(slots + 1, sizeof *blocks);
    size_t count = 0;

    if (blocks == NULL || (slots > 0 && !get(process, process->header.blocks_offset, blocks, slots * sizeof *blocks))) {
        free(blocks);
        return false;
    }
    for (size_t i = 0; i < slots; i++)
        if (blocks[i].address != 0)
            memmove(&blocks[count++], &blocks[i], sizeof *blocks);
    qsort(blocks, count, sizeof *blocks, compare_blocks);
    free(process->blocks);
    process->blocks = blocks;
    process->block_count = count;
    return true;
}

static bool read_counts(struct process *process)
{
    size_t all = process->header.counters + process->header.reasons;
    struct count *counts = calloc(all + 1, sizeof *counts);

    if (counts == NULL || !get(process, process->header.counts_offset, counts, all * sizeof *counts)) {
        free(counts);
        return false;
    }
    for (size_t i = 0; i < all; i++)
        counts[i].name[sizeof counts[i].name - 1] = '\0';
    free(process->counts);
    process->counts = counts;
    return true;
}

static bool is_gone(const struct process *process)
{
    char *text = process_file(process->pid, "maps", NULL);
    bool gone = text == NULL && errno == ESRCH;

    gone = gone || (text == NULL && errno == ENOENT);
    free(text);
    return gone;
}

enum process_state process_read(struct process *process)
{
    pid_t owner;

    if (!get(process, 0, &process->header, sizeof process->header))
        return process->state = is_gone(process) ? PROCESS_GONE : PROCESS_FORBIDDEN;
    process->state = check_header(process);
    if (process->state != PROCESS_OPEN)
        return process->state;
    owner = own_id(process->pid);
    if (process->header.process != owner) {
        process->parent_page = (pid_t)process->header.process;
        return process->state = PROCESS_CHILD;
    }
    process->header.release[sizeof process->header.release - 1] = '\0';
    process->header.mode[sizeof process->header.mode - 1] = '\0';
    process->header.policy[sizeof process->header.policy - 1] = '\0';
    if (!read_counts(process) || !read_blocks(process))
        process->state = PROCESS_BROKEN;
    else if (is_gone(process)) /* the page outlives it in our hands */
        process->state = PROCESS_GONE;
    return process->state;
}

/* A variable in the environment that the process was started with, or "". */
static const char *started_with(const char *environment, size_t size, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = environment; at != NULL && at < environment + size; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return "";
}

static enum process_state why_no_page(pid_t pid, const char *maps)
{
    size_t size = 0;
    char *environment;
    enum process_state state = PROCESS_ASLEEP;

    if (strstr(maps, LIBRARY) == NULL)
        return PROCESS_STRANGER;
    environment = process_file(pid, "environ", &size);
    if (strcmp(started_with(environment, size, "COWSHIM_MODE"), "off") == 0)
        state = PROCESS_OFF;
    else if (*started_with(environment, size, "COWSHIM_PROGRAMS") != '\0')
        state = PROCESS_LEFT_OUT;
    free(environment);
    return state;
}

static enum process_state find(struct process *process)
{
    char *maps = process_file(process->pid, "maps", NULL);
    enum process_state state;

    if (maps == NULL)
        return errno == EACCES || errno == EPERM ? PROCESS_FORBIDDEN : PROCESS_GONE;
    process->page_fd = find_page(process->pid);
    if (process->page_fd < 0)
        process->page_fd = find_mapped_page(process, maps);
    if (process->page_fd < 0 && process->page_address == 0)
        state = why_no_page(process->pid, maps);
    else if (process->page_fd >= 0 && !is_sealed(process->page_fd))
        state = PROCESS_BROKEN;
    else
        state = PROCESS_OPEN;
    free(maps);
    return state;
}

enum process_state process_open(struct process *process, pid_t pid)
{
    memset(process, 0, sizeof *process);
    process->pid = pid;
    process->page_fd = -1;
    read_name(process);
    process->state = find(process);
    return process->state == PROCESS_OPEN ? process_read(process) : process->state;
}

void process_close(struct process *process)
{
    if (process->page_fd >= 0)
        close(process->page_fd);
    free(process->counts);
    free(process->blocks);
    process->page_fd = -1;
    process->counts = NULL;
    process->blocks = NULL;
}
