/* SPDX-License-Identifier: MIT */
#include "engine/store/generation.h"

#include <stddef.h>

#include "base/arena.h"

#include "base/poison.h"

static struct pool generations = POOL_INITIALIZER(struct generation);
static struct generation *all;
static struct generation *youngest; /* NULL after a fork, until something is made */

/* A record that is not in use, with a witness. */
static struct generation *begin(void)
{
    struct generation *made = all;

    while (made != NULL && made->stores > 0)
        made = made->next;
    if (made == NULL) {
        made = pool_take(&generations);
        if (made == NULL)
            return NULL;
        made->next = all;
        all = made;
    }
    made->missed = false;
    return made->witness.page != 0 || witness_begin(&made->witness) == 0 ? made : NULL;
}

struct generation *generation_now(void)
{
    if (youngest == NULL)
        youngest = begin();
    return youngest;
}

void generation_join(struct generation *generation)
{
    generation->stores++;
}

void generation_leave(struct generation *generation)
{
    if (--generation->stores == 0 && generation != youngest)
        witness_end(&generation->witness);
}

void generation_end(void)
{
    struct generation *ended = youngest;

    youngest = NULL;
    if (ended != NULL && ended->stores == 0)
        witness_end(&ended->witness);
}

enum witness_says generation_ask(struct generation *generation)
{
    enum witness_says says = witness_ask(&generation->witness);

    if (says == WITNESS_ALONE)
        return says;
    /* A copy that nobody announced: what is made from now on it does not show. */
    if (generation == youngest)
        youngest = NULL;
    generation->missed = true;
    return says;
}

bool generation_missed(void)
{
    bool missed = false;

    for (struct generation *generation = all; generation != NULL; generation = generation->next)
        missed = missed || (generation->stores > 0 && generation->missed);
    return missed;
}

bool generation_regained(void)
{
    bool regained = false;

    for (struct generation *generation = all; generation != NULL; generation = generation->next)
        if (generation->stores > 0 && generation->missed && witness_ask(&generation->witness) == WITNESS_ALONE) {
            generation->missed = false;
            regained = true;
        }
    return regained;
}
