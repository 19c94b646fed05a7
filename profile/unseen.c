/* SPDX-License-Identifier: MIT */
#include "profile/unseen.h"

#include <stdatomic.h>

#include "profile/tell.h"

void unseen_count(struct unseen *unseen, size_t size)
{
    atomic_fetch_add_explicit(&unseen->copies, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&unseen->bytes, size, memory_order_relaxed);
}

void unseen_stand_for(struct unseen *unseen, struct trail_copy *copy)
{
    copy->also = atomic_exchange_explicit(&unseen->copies, 0, memory_order_relaxed);
    copy->also_bytes = atomic_exchange_explicit(&unseen->bytes, 0, memory_order_relaxed);
    unseen->last = *copy;
}

void unseen_tell(struct unseen *unseen)
{
    struct trail_copy what = {.stack = unseen->last.stack, .reason = unseen->last.reason};

    unseen_stand_for(unseen, &what);
    if (what.also == 0)
        return;
    what.size = what.also_bytes / what.also;
    what.also_bytes -= what.size;
    what.also--;
    tell_copy(&what, NULL);
}
