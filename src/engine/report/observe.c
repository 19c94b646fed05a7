/* SPDX-License-Identifier: MIT */
#include "engine/report/observe.h"

#include "engine/process/entry.h"
#include "kernel/descriptor.h"

#include "base/poison.h"

static const struct observer *current;

bool observe_start(const struct observer *observer)
{
    if (observer == NULL || observer->version != OBSERVER_VERSION)
        return false;
    current = observer;
    return true;
}

bool observe_substitutes(void)
{
    return current == NULL || current->substitute;
}

bool observed(void)
{
    return current != NULL;
}

/* A vfork child has our memory, but nothing that it does is this process's. */
static const struct observer *listener(void)
{
    return current != NULL && descriptor_in_own_process() ? current : NULL;
}

bool observe_look(enum observed_event event, size_t size)
{
    return current == NULL || current->look(event, size);
}

void observe_added(uintptr_t start, size_t size)
{
    if (listener() != NULL)
        current->block_added(start, size);
}

void observe_leaves(uintptr_t start, size_t size)
{
    if (listener() != NULL)
        current->block_leaves(start, size);
}

void observe_returns(uintptr_t was, uintptr_t start, size_t size)
{
    if (listener() != NULL)
        current->block_returns(was, start, size);
}

void observe_copy_begins(uintptr_t to, uintptr_t from, size_t size)
{
    if (listener() != NULL)
        current->copy_begins(to, from, size);
}

void observe_copy_judged(uintptr_t to, uintptr_t from, size_t size, const struct observed_verdict *verdict)
{
    if (listener() != NULL)
        current->copy_judged(to, from, size, verdict);
}

void observe_forked(void)
{
    if (current != NULL)
        current->forked();
}

void observe_ends(void)
{
    struct entry entry;

    if (current == NULL || !entry_begin(&entry))
        return;
    if (listener() != NULL)
        current->ends();
    entry_end(&entry);
}

void engine_note_copy(const void *to, const void *from, size_t size)
{
    struct entry entry;

    if (!observe_look(OBSERVED_SMALL, size) || !entry_begin(&entry))
        return;
    if (listener() != NULL)
        current->copy_too_small((uintptr_t)to, (uintptr_t)from, size);
    entry_end(&entry);
}
