/* SPDX-License-Identifier: MIT */
#include "command/live/scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/pagemap.h"
#include "command/live/scene_read.h"

#define RUNS 512

void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->page_size = (size_t)sysconf(_SC_PAGESIZE);
}

void scene_forget_member(struct member *member)
{
    for (size_t i = 0; i < member->array_count; i++)
        free(member->arrays[i].state);
    free(member->arrays);
    free(member->views);
    free(member->stores);
    member->arrays = NULL;
    member->views = NULL;
    member->stores = NULL;
    member->array_count = member->view_count = member->store_count = member->mappings = 0;
}

static void forget_stores(struct scene *scene)
{
    for (size_t i = 0; i < scene->store_count; i++) {
        free(scene->stores[i].shown);
        free(scene->stores[i].there);
    }
    free(scene->stores);
    scene->stores = NULL;
    scene->store_count = 0;
}

void scene_end(struct scene *scene)
{
    for (size_t i = 0; i < scene->member_count; i++) {
        scene_forget_member(&scene->members[i]);
        process_close(&scene->members[i].process);
    }
    free(scene->members);
    forget_stores(scene);
    scene_init(scene);
}

struct member *scene_add(struct scene *scene, pid_t pid)
{
    struct member *more = realloc(scene->members, (scene->member_count + 1) * sizeof *more);
    struct member *member;

    if (more == NULL)
        return NULL;
    scene->members = more;
    member = &more[scene->member_count++];
    memset(member, 0, sizeof *member);
    process_open(&member->process, pid);
    return member;
}

static bool has_member(const struct scene *scene, pid_t pid)
{
    for (size_t i = 0; i < scene->member_count; i++)
        if (scene->members[i].process.pid == pid)
            return true;
    return false;
}

struct search {
    struct scene *scene;
    size_t forbidden;
};

static void remove_last(struct scene *scene)
{
    struct member *last = &scene->members[--scene->member_count];

    scene_forget_member(last);
    process_close(&last->process);
}

static bool add_if_shown(pid_t pid, void *context)
{
    struct search *search = context;
    struct member *member = has_member(search->scene, pid) ? NULL : scene_add(search->scene, pid);

    if (member == NULL)
        return true;
    search->forbidden += member->process.state == PROCESS_FORBIDDEN;
    if (member->process.state != PROCESS_OPEN)
        remove_last(search->scene);
    return true;
}

size_t scene_add_all(struct scene *scene)
{
    struct search search = {scene, 0};

    process_each(add_if_shown, &search);
    return search.forbidden;
}

static bool add_if_related(pid_t pid, void *context)
{
    struct scene *scene = context;
    struct member *member;

    if (has_member(scene, pid) || !scene_shows_known_store(scene, pid))
        return true;
    member = scene_add(scene, pid);
    if (member != NULL && member->process.state != PROCESS_OPEN && member->process.state != PROCESS_CHILD &&
        member->process.state != PROCESS_ASLEEP)
        remove_last(scene);
    return true;
}

void scene_add_relatives(struct scene *scene)
{
    for (size_t i = 0; i < scene->member_count; i++)
        scene_read_member(scene, &scene->members[i]);
    if (scene->store_count > 0)
        process_each(add_if_related, scene);
}

static int compare_view(const void *address, const void *view)
{
    const struct scene_view *at = view;

    if (*(const uintptr_t *)address < at->start)
        return -1;
    return *(const uintptr_t *)address >= at->end;
}

const struct scene_view *scene_view_at(const struct member *member, uintptr_t address)
{
    return bsearch(&address, member->views, member->view_count, sizeof *member->views, compare_view);
}

/* Marks the private pages of [start, end) in state. False: the kernel does not tell. */
static bool mark_private(const struct scene *scene, int pagemap, uintptr_t start, uintptr_t end, unsigned char *state)
{
    static const struct pagemap_variant *variant = &pagemap_scan;
    struct page_run runs[RUNS];
    uintptr_t at = start;

    while (at < end) {
        uintptr_t walked = at;
        int count = variant->runs(pagemap, PAGES_PRIVATE, at, end, runs, RUNS, 0, &walked);

        if (count < 0 && variant == &pagemap_scan) {
            variant = &pagemap_read; /* before Linux 6.7 */
            continue;
        }
        if (count < 0 || walked <= at)
            return false;
        for (int i = 0; i < count; i++)
            memset(state + (runs[i].start - start) / scene->page_size, PAGE_PRIVATE, (runs[i].end - runs[i].start) / scene->page_size);
        at = walked;
    }
    return true;
}

/* A part of a view over pages whose private ones are marked: the others show the store. */
static void show_view(struct scene *scene, const struct scene_view *view, uintptr_t from, uintptr_t to, unsigned char *state)
{
    struct scene_store *store = &scene->stores[view->store];
    size_t page = (view->offset + (from - view->start)) / scene->page_size;

    for (; from < to; from += scene->page_size, state++, page++) {
        if (*state == PAGE_PRIVATE) {
            *state = PAGE_REWRITTEN;
        } else if (page < store->pages && store->there[page]) {
            *state = PAGE_SHOWN;
            if (store->shown[page] < UINT16_MAX)
                store->shown[page]++;
        }
    }
}

/* *first: the first view that may reach into this array or a later one. */
static void look_at_array(struct scene *scene, struct member *member, int pagemap, struct array *array, size_t *first)
{
    uintptr_t end = array->start + array->pages * scene->page_size;

    array->state = calloc(array->pages, 1);
    if (array->state == NULL || !mark_private(scene, pagemap, array->start, end, array->state)) {
        array->pages = 0;
        return;
    }
    while (*first < member->view_count && member->views[*first].end <= array->start)
        ++*first;
    for (size_t i = *first; i < member->view_count && member->views[i].start < end; i++) {
        uintptr_t from = member->views[i].start > array->start ? member->views[i].start : array->start;
        uintptr_t to = member->views[i].end < end ? member->views[i].end : end;

        show_view(scene, &member->views[i], from, to, array->state + (from - array->start) / scene->page_size);
    }
    for (size_t page = 0; page < array->pages; page++)
        array->count[array->state[page]]++;
}

/* Views in no array: of a child whose page is not there yet, and memory that was moved by the program. */
static void look_between(struct scene *scene, int pagemap, const struct scene_view *view, uintptr_t from, uintptr_t to)
{
    unsigned char *state = from < to ? calloc((to - from) / scene->page_size, 1) : NULL;

    if (state != NULL && mark_private(scene, pagemap, from, to, state))
        show_view(scene, view, from, to, state);
    free(state);
}

static void look_outside(struct scene *scene, const struct member *member, int pagemap)
{
    size_t next = 0;

    for (size_t i = 0; i < member->view_count; i++) {
        const struct scene_view *view = &member->views[i];
        uintptr_t at = view->start;

        while (next < member->array_count && member->arrays[next].start + member->arrays[next].pages * scene->page_size <= at)
            next++;
        for (size_t j = next; at < view->end; j++) {
            bool more = j < member->array_count && member->arrays[j].start < view->end;
            uintptr_t stop = more ? member->arrays[j].start : view->end;

            look_between(scene, pagemap, view, at, stop);
            at = more ? member->arrays[j].start + member->arrays[j].pages * scene->page_size : view->end;
        }
    }
}

static void add_up(struct scene *scene, struct member *member)
{
    struct figures *f = &member->figures;

    f->arrays = member->array_count;
    f->views = member->view_count;
    f->mappings = member->mappings;
    for (size_t i = 0; i < member->array_count; i++) {
        const struct array *array = &member->arrays[i];
        size_t own = array->count[PAGE_PRIVATE] + array->count[PAGE_REWRITTEN];

        f->asked += array->size;
        f->own += own * scene->page_size;
        f->rewritten += array->count[PAGE_REWRITTEN] * scene->page_size;
        f->logical += (own + array->count[PAGE_SHOWN]) * scene->page_size;
    }
}

static void look_at_member(struct scene *scene, struct member *member)
{
    char path[48];
    size_t first = 0;
    int pagemap;

    snprintf(path, sizeof path, "/proc/%d/pagemap", (int)member->process.pid);
    pagemap = open(path, O_RDONLY | O_CLOEXEC);
    if (pagemap < 0)
        return;
    for (size_t i = 0; i < member->array_count; i++)
        look_at_array(scene, member, pagemap, &member->arrays[i], &first);
    look_outside(scene, member, pagemap);
    close(pagemap);
    add_up(scene, member);
}

static uint64_t dead_bytes(const struct scene *scene, const struct scene_store *store)
{
    uint64_t dead = 0;

    for (size_t page = 0; page < store->pages; page++)
        dead += store->there[page] && store->shown[page] == 0;
    return dead * scene->page_size;
}

/* Each store into the figures of every member that shows it, and once into those of all. */
static void add_stores(struct scene *scene)
{
    for (size_t i = 0; i < scene->store_count; i++) {
        const struct scene_store *store = &scene->stores[i];
        uint64_t dead = dead_bytes(scene, store);

        scene->figures.stores++;
        scene->figures.stored += store->allocated;
        scene->figures.dead += dead;
        for (size_t m = 0; m < scene->member_count; m++) {
            struct figures *f = &scene->members[m].figures;

            if (!scene_member_has_store(&scene->members[m], (unsigned)i))
                continue;
            f->stores++;
            f->stored += store->allocated;
            f->dead += dead;
        }
    }
}

static void add_members(struct scene *scene)
{
    for (size_t m = 0; m < scene->member_count; m++) {
        const struct figures *f = &scene->members[m].figures;

        scene->figures.arrays += f->arrays;
        scene->figures.views += f->views;
        scene->figures.mappings += f->mappings;
        scene->figures.asked += f->asked;
        scene->figures.logical += f->logical;
        scene->figures.own += f->own;
        scene->figures.rewritten += f->rewritten;
        scene->figures.anonymous += f->anonymous;
        scene->figures.page_tables += f->page_tables;
        scene->figures.resident += f->resident;
    }
}

void scene_look(struct scene *scene)
{
    forget_stores(scene);
    memset(&scene->figures, 0, sizeof scene->figures);
    for (size_t m = 0; m < scene->member_count; m++) {
        struct member *member = &scene->members[m];

        scene_forget_member(member);
        memset(&member->figures, 0, sizeof member->figures);
        if (member->process.state == PROCESS_OPEN)
            process_read(&member->process);
        if (member->process.state != PROCESS_GONE)
            scene_read_member(scene, member);
    }
    for (size_t m = 0; m < scene->member_count; m++)
        look_at_member(scene, &scene->members[m]);
    add_stores(scene);
    add_members(scene);
}
