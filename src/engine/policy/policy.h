/* SPDX-License-Identifier: MIT */
/* Whether a copy should be shared: a pure function of what is known of the copy and of earlier ones. No system call, no state.
   Shares are in parts of SHARE_ONE. */
#ifndef COWSHIM_ENGINE_POLICY_H
#define COWSHIM_ENGINE_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config.h"

#define SHARE_ONE 1024u

/* What earlier copies from one place in the program came to. */
struct record {
    unsigned seen;      /* fates known */
    unsigned rewritten; /* running mean of the share of pages that the copy's owner rewrote */
    unsigned declined;  /* copies declined since the last try */
    unsigned patience;  /* the next try comes when the declined copies cost as much as so many tries that are lost */
};

struct facts {
    enum config_policy policy;
    size_t pages;            /* whole pages in the copy */
    size_t private_pages;    /* of the source, to be sealed or copied */
    unsigned source_changes; /* share of the source that was rewritten between its copies, running mean; 0: not known */
    bool target_huge;        /* a plain copy would fault huge pages in */
    bool target_touched;     /* a plain copy would fault nothing in */
    bool huge_store;
};

/* True: share. False: a plain copy is expected to be better. */
bool policy_shares(const struct facts *facts, const struct record *record);

/* The fate of a copy became known: this share of its pages was rewritten. */
void policy_learn(struct record *record, unsigned rewritten);
/* A copy was declined, or shared after all to try again. */
void policy_note(struct record *record, bool shared);
/* A running mean with the weight of a new value at a quarter. */
unsigned policy_mean(unsigned mean, unsigned value);

/* Whether a block should be sealed anew as one piece: what copying its scattered pages has cost by now, against that. */
bool policy_consolidates(size_t pages, size_t copied_pages_since, bool huge_store);

#endif
