/* SPDX-License-Identifier: MIT */
#include "command/live/scene_read.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* A line of /proc/PID/maps. */
struct line {
    uintptr_t start, end;
    bool private;
    uint64_t offset;
    dev_t device;
    ino_t inode;
    const char *path;
};

/* Takes the next line off the text, whose line ends become zero bytes. */
static bool next_line(char **text, struct line *line)
{
    unsigned long start, end;
    unsigned long long offset, inode;
    unsigned major_number, minor_number;
    char access[8];
    char *at = *text;
    char *stop = strchr(at, '\n');
    int path = 0;

    if (stop == NULL)
        return false;
    *stop = '\0';
    *text = stop + 1;
    if (sscanf(at, "%lx-%lx %7s %llx %x:%x %llu %n", &start, &end, access, &offset, &major_number, &minor_number, &inode, &path) != 7)
        return false;
    *line = (struct line){start, end, access[3] == 'p', offset, makedev(major_number, minor_number), inode, at + path};
    return true;
}

static bool is_view(const struct line *line)
{
    return line->private && line->inode != 0 && process_names_store(line->path);
}

static int find_store(const struct scene *scene, dev_t device, ino_t inode)
{
    for (size_t i = 0; i < scene->store_count; i++)
        if (scene->stores[i].inode == inode && scene->stores[i].device == device)
            return (int)i;
    return -1;
}

static struct scene_store *new_store(struct scene *scene, dev_t device, ino_t inode)
{
    struct scene_store *more = realloc(scene->stores, (scene->store_count + 1) * sizeof *more);

    if (more == NULL)
        return NULL;
    scene->stores = more;
    more += scene->store_count++;
    memset(more, 0, sizeof *more);
    more->device = device;
    more->inode = inode;
    return more;
}

/* Which pages of the file have memory. Without the right to open it: all. */
static void map_store(struct scene_store *store, int fd, size_t page_size)
{
    off_t from = 0;

    memset(store->there, fd < 0, store->pages);
    while (fd >= 0 && (from = lseek(fd, from, SEEK_DATA)) >= 0) {
        off_t to = lseek(fd, from, SEEK_HOLE);
        size_t first = (size_t)from / page_size;
        size_t end = to < 0 ? store->pages : ((size_t)to + page_size - 1) / page_size;

        if (end > store->pages)
            end = store->pages;
        if (first >= end)
            return;
        memset(store->there + first, 1, end - first);
        if (to < 0)
            return;
        from = to;
    }
}

static void measure_store(const struct scene *scene, struct scene_store *store, uint64_t size, uint64_t allocated, int fd)
{
    size_t pages = (size / scene->page_size) + (size % scene->page_size != 0);

    store->shown = calloc(pages + 1, sizeof *store->shown);
    store->there = calloc(pages + 1, 1);
    if (store->shown == NULL || store->there == NULL)
        return;
    store->size = size;
    store->allocated = allocated;
    store->pages = pages;
    map_store(store, fd, scene->page_size);
}

/* A link of /proc that leads to a store: measures that, and writes it down if it is a new one. Its number, or -1. */
static int read_store(struct scene *scene, const char *path)
{
    struct statfs system;
    struct stat status;
    int place = open(path, O_PATH | O_CLOEXEC);
    int known = -1;
    struct scene_store *store;
    int fd;

    if (place < 0)
        return -1;
    if (fstat(place, &status) == 0 && S_ISREG(status.st_mode) && fstatfs(place, &system) == 0 && system.f_type == TMPFS_MAGIC) {
        known = find_store(scene, status.st_dev, status.st_ino);
        store = known >= 0 ? &scene->stores[known] : new_store(scene, status.st_dev, status.st_ino);
        if (store != NULL)
            known = (int)(store - scene->stores);
        if (store != NULL && store->pages == 0) {
            fd = open(path, O_RDONLY | O_CLOEXEC);
            measure_store(scene, store, (uint64_t)status.st_size, (uint64_t)status.st_blocks * 512, fd);
            if (fd >= 0)
                close(fd);
        }
    }
    close(place);
    return known;
}

static void note_store(struct member *member, int store)
{
    unsigned *more;

    if (store < 0 || scene_member_has_store(member, (unsigned)store))
        return;
    more = realloc(member->stores, (member->store_count + 1) * sizeof *more);
    if (more == NULL)
        return;
    member->stores = more;
    more[member->store_count++] = (unsigned)store;
}

static void read_descriptors(struct scene *scene, struct member *member)
{
    pid_t pid = member->process.pid;
    char path[64 + NAME_MAX];
    DIR *folder;
    struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char link[64];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);

        if (length <= 0)
            continue;
        link[length] = '\0';
        if (!process_names_store(link))
            continue;
        snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, entry->d_name);
        note_store(member, read_store(scene, path));
    }
    if (folder != NULL)
        closedir(folder);
}

/* A store that no descriptor leads to any more: by its mapping, which only root may follow; or else as much as is mapped. */
static int find_mapped_store(struct scene *scene, const struct member *member, const struct line *line)
{
    char path[96];
    int known = find_store(scene, line->device, line->inode);
    uint64_t size = line->offset + (line->end - line->start);
    struct scene_store *store;

    if (known >= 0 && scene->stores[known].size >= size)
        return known;
    snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", (int)member->process.pid, (unsigned long)line->start,
             (unsigned long)line->end);
    if (known < 0)
        read_store(scene, path);
    known = find_store(scene, line->device, line->inode);
    if (known >= 0 && scene->stores[known].size >= size)
        return known;
    store = known >= 0 ? &scene->stores[known] : new_store(scene, line->device, line->inode);
    if (store == NULL)
        return -1;
    free(store->shown);
    free(store->there);
    measure_store(scene, store, size, size, -1);
    return (int)(store - scene->stores);
}

static void add_view(struct scene *scene, struct member *member, const struct line *line)
{
    int store = find_mapped_store(scene, member, line);

    note_store(member, store);
    if (store >= 0 && (member->view_count & (member->view_count - 1)) == 0) {
        size_t room = member->view_count == 0 ? 1 : 2 * member->view_count;
        struct scene_view *views = realloc(member->views, room * sizeof *views);

        if (views == NULL)
            return;
        member->views = views;
    }
    if (store >= 0)
        member->views[member->view_count++] = (struct scene_view){line->start, line->end, line->offset, (unsigned)store};
}

/* The end of what is mapped without a gap, from line to line. */
struct stretch {
    uintptr_t start, end;
};

/* Arrays are listed by the process, and are only believed as far as there is memory mapped. */
static void add_arrays(struct member *member, const struct stretch *stretches, size_t count, size_t page_size)
{
    const struct process *process = &member->process;
    size_t at = 0;

    if (process->state != PROCESS_OPEN)
        return;
    member->arrays = calloc(process->block_count + 1, sizeof *member->arrays);
    for (size_t i = 0; member->arrays != NULL && i < process->block_count; i++) {
        const struct export_block *block = &process->blocks[i];
        uintptr_t start = block->address & ~(page_size - 1);
        uintptr_t end = start;
        struct array *array = &member->arrays[member->array_count];

        while (at < count && stretches[at].end <= start)
            at++;
        if (at < count && stretches[at].start <= start)
            end = block->size < stretches[at].end - block->address ? block->address + block->size : stretches[at].end;
        end = (end + page_size - 1) & ~(page_size - 1);
        if (end <= start || (array > member->arrays && start < array[-1].start + array[-1].pages * page_size))
            continue;
        *array = (struct array){.start = start,
                                .size = block->size,
                                .flags = (unsigned)block->flags,
                                .copied_from = block->copied_from,
                                .copied_by = block->copied_by,
                                .copied_at = block->copied_at,
                                .pages = (end - start) / page_size};
        member->array_count++;
    }
}

static void read_maps(struct scene *scene, struct member *member, char *text)
{
    size_t room = 1, count = 0;
    struct stretch *stretches;
    struct line line;

    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        room++;
    stretches = calloc(room, sizeof *stretches);
    while (stretches != NULL && next_line(&text, &line)) {
        member->mappings++;
        if (is_view(&line))
            add_view(scene, member, &line);
        if (count > 0 && stretches[count - 1].end == line.start)
            stretches[count - 1].end = line.end;
        else
            stretches[count++] = (struct stretch){line.start, line.end};
    }
    add_arrays(member, stretches, count, scene->page_size);
    free(stretches);
}

static uint64_t field(const char *text, const char *name)
{
    const char *found = text == NULL ? NULL : strstr(text, name);

    return found == NULL ? 0 : strtoull(found + strlen(name), NULL, 10) * 1024;
}

static void read_totals(struct member *member)
{
    char *rollup = process_file(member->process.pid, "smaps_rollup", NULL);
    char *status = process_file(member->process.pid, "status", NULL);

    member->figures.anonymous = field(rollup, "\nAnonymous:") + field(status, "\nVmSwap:");
    member->figures.page_tables = field(status, "\nVmPTE:");
    member->figures.resident = field(status, "\nVmRSS:");
    free(rollup);
    free(status);
}

void scene_read_member(struct scene *scene, struct member *member)
{
    char *maps = process_file(member->process.pid, "maps", NULL);

    if (maps == NULL) {
        if (errno == ESRCH || errno == ENOENT)
            member->process.state = PROCESS_GONE;
        return;
    }
    scene_forget_member(member);
    read_descriptors(scene, member);
    read_maps(scene, member, maps);
    read_totals(member);
    free(maps);
}

bool scene_shows_known_store(const struct scene *scene, pid_t pid)
{
    char *maps = process_file(pid, "maps", NULL);
    char *text = maps;
    struct line line;
    bool shows = false;

    while (!shows && text != NULL && next_line(&text, &line))
        shows = is_view(&line) && find_store(scene, line.device, line.inode) >= 0;
    free(maps);
    return shows;
}

bool scene_member_has_store(const struct member *member, unsigned store)
{
    for (size_t i = 0; i < member->store_count; i++)
        if (member->stores[i] == store)
            return true;
    return false;
}
