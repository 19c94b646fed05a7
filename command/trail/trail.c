/* SPDX-License-Identifier: MIT */
#include "command/trail/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/tree.h"

static int read_whole(const char *path, struct trail *trail)
{
    struct stat status;
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = 0;

    if (fd < 0 || fstat(fd, &status) != 0)
        error = -errno;
    if (error == 0 && (trail->data = malloc((size_t)status.st_size + 1)) == NULL)
        error = -ENOMEM;
    while (error == 0 && got < (size_t)status.st_size) {
        ssize_t part = read(fd, trail->data + got, (size_t)status.st_size - got);

        if (part <= 0)
            break;
        got += (size_t)part;
    }
    trail->size = got;
    if (fd >= 0)
        close(fd);
    return error;
}

/* The event at an offset, or NULL at the end of what was written. */
static const struct trail_event *event_at(const struct trail *trail, size_t at)
{
    const struct trail_event *event = (const struct trail_event *)(const void *)(trail->data + at);

    if (at + sizeof *event > trail->size || event->type == TRAIL_NONE)
        return NULL;
    if (event->type != TRAIL_SKIP && (event->size < sizeof *event || event->size % 8 != 0 || event->size > trail->size - at))
        return NULL;
    return event;
}

static size_t after(size_t at, const struct trail_event *event)
{
    if (event->type != TRAIL_SKIP)
        return at + event->size;
    if (at < TRAIL_FIRST_WINDOW)
        return TRAIL_FIRST_WINDOW;
    return TRAIL_FIRST_WINDOW + ((at - TRAIL_FIRST_WINDOW) / TRAIL_WINDOW + 1) * TRAIL_WINDOW;
}

static bool append_maps(struct trail *trail, const struct trail_maps *maps)
{
    size_t had = trail->maps == NULL || (maps->event.flags & TRAIL_FIRST) != 0 ? 0 : strlen(trail->maps);
    char *text = realloc(trail->maps, had + maps->length + 1);

    if (text == NULL)
        return false;
    memcpy(text + had, maps + 1, maps->length);
    text[had + maps->length] = '\0';
    trail->maps = text;
    return true;
}

static bool keep_stack(struct trail *trail, const struct trail_stack *stack)
{
    if (stack->id >= trail->stack_count) {
        uint32_t count = (stack->id + 1) * 2;
        const struct trail_stack **stacks = realloc(trail->stacks, count * sizeof(void *));

        if (stacks == NULL)
            return false;
        for (uint32_t i = trail->stack_count; i < count; i++)
            stacks[i] = NULL;
        trail->stacks = stacks;
        trail->stack_count = count;
    }
    trail->stacks[stack->id] = stack;
    return true;
}

static bool keep_step(struct trail *trail, const struct trail_event *event)
{
    if ((trail->count & (trail->count + 1)) == 0) { /* full at 1, 3, 7, ... */
        struct step *steps = realloc(trail->steps, (size_t)(trail->count + 1) * 2 * sizeof *steps);

        if (steps == NULL)
            return false;
        trail->steps = steps;
    }
    trail->steps[trail->count++] = (struct step){.event = event, .block = NO_BLOCK, .source = NO_BLOCK};
    return true;
}

static bool sort_out(struct trail *trail, const struct trail_event *event)
{
    bool kept = true;

    switch (event->type) {
    case TRAIL_BEGIN:
        trail->begin = (const void *)event;
        break;
    case TRAIL_MAPS:
        kept = append_maps(trail, (const void *)event);
        break;
    case TRAIL_STACK:
        kept = keep_stack(trail, (const void *)event);
        break;
    case TRAIL_CUT:
        trail->cut = true;
        break;
    case TRAIL_END:
        trail->ended = true;
        break;
    default:
        break;
    }
    /* Any may be the first after memory was measured. */
    return kept && (event->type == TRAIL_SKIP || keep_step(trail, event));
}

/* Who is where, while the steps are walked once. */
struct place {
    struct tree_node node; /* key: start */
    uint64_t size;
    uint32_t number;    /* the step that added it */
    uint32_t looked_at; /* the step that last looked at its samples */
    uint32_t left;      /* the step at which it left last */
};

static struct place *place_around(const struct tree *tree, uint64_t address)
{
    struct tree_node *node = tree_at_or_below(tree, address);
    struct place *place = node == NULL ? NULL : tree_entry(node, struct place, node);

    return place != NULL && address - node->key < place->size ? place : NULL;
}

static void look(struct step *step, uint32_t number, struct place *place)
{
    step->block = place->number;
    step->since = place->looked_at;
    place->looked_at = number;
}

/* The first whole page of a range, counted from the first of its block. */
static uint32_t first_page(const struct trail *trail, const struct place *place, uint64_t address)
{
    return (uint32_t)((address - place->node.key + trail->begin->page_size - 1) / trail->begin->page_size);
}

static void resolve_copy(const struct trail *trail, struct tree *live, struct step *step, uint32_t number)
{
    const struct trail_copy *copy = (const void *)step->event;
    struct place *target = place_around(live, copy->to);
    struct place *source = place_around(live, copy->from);

    if (target != NULL && copy->tracked) {
        step->block = target->number;
        step->page = first_page(trail, target, copy->to);
        target->looked_at = number;
    }
    if (source != NULL) {
        step->source = source->number;
        step->source_page = first_page(trail, source, copy->from);
        source->looked_at = number;
    }
}

static void resolve_block(struct trail *trail, struct tree *live, struct tree *gone, struct step *step, uint32_t number)
{
    const struct trail_block *what = (const void *)step->event;
    struct place *place =
        place_around(step->event->type == TRAIL_RETURNS ? gone : live, step->event->type == TRAIL_RETURNS ? what->was : what->start);

    if (place == NULL)
        return;
    look(step, number, place);
    if (step->event->type == TRAIL_LEAVES) {
        struct place *older = place_around(gone, place->node.key);

        if (older != NULL && older->node.key == place->node.key)
            tree_remove(gone, &older->node);
        tree_remove(live, &place->node);
        tree_insert(gone, &place->node);
        place->left = number;
    } else if (step->event->type == TRAIL_RETURNS) {
        tree_remove(gone, &place->node);
        trail->steps[place->left].moves = true;
        place->node.key = what->start;
        place->size = what->size;
        tree_insert(live, &place->node);
    }
}

static bool resolve(struct trail *trail)
{
    struct place *places = calloc(trail->count + 1, sizeof *places);
    struct tree live = {NULL}, gone = {NULL};

    if (places == NULL)
        return false;
    for (uint32_t i = 0; i < trail->count; i++) {
        struct step *step = &trail->steps[i];
        const struct trail_block *what = (const void *)step->event;

        if (step->event->type == TRAIL_ADDED) {
            places[i] = (struct place){.node.key = what->start, .size = what->size, .number = i, .looked_at = i};
            step->block = i;
            tree_insert(&live, &places[i].node);
        } else if (step->event->type == TRAIL_COPY) {
            resolve_copy(trail, &live, step, i);
        } else if (step->event->type == TRAIL_THINNED) {
            const struct place *place = place_around(&live, what->start);

            step->block = place == NULL ? NO_BLOCK : place->number;
        } else if (step->event->type == TRAIL_LEAVES || step->event->type == TRAIL_RETURNS || step->event->type == TRAIL_CHANGED) {
            resolve_block(trail, &live, &gone, step, i);
        }
    }
    free(places);
    return true;
}

int trail_read(const char *path, struct trail *trail)
{
    const struct trail_event *event;
    size_t at = 0;
    int error;

    memset(trail, 0, sizeof *trail);
    error = read_whole(path, trail);
    while (error == 0 && (event = event_at(trail, at)) != NULL) {
        if (!sort_out(trail, event))
            error = -ENOMEM;
        at = after(at, event);
    }
    if (error == 0 && (trail->begin == NULL || trail->begin->version != TRAIL_VERSION))
        error = -EPROTO;
    if (error == 0 && !resolve(trail))
        error = -ENOMEM;
    return error;
}

void trail_free(struct trail *trail)
{
    free(trail->data);
    free(trail->steps);
    free(trail->stacks);
    free(trail->maps);
}

char *trail_command(const struct trail *trail)
{
    const char *words = (const char *)(trail->begin + 1);
    size_t length = trail->begin->words;
    char *text = malloc(length + 1);

    if (text == NULL)
        return NULL;
    memcpy(text, words, length);
    while (length > 0 && text[length - 1] == '\0')
        length--;
    text[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ')
            text[i] = ' ';
    return text;
}
