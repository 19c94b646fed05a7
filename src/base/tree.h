/* SPDX-License-Identifier: MIT */
/* An intrusive ordered tree (a treap whose priority is a hash of the node's address). Keys may repeat. The caller locks. */
#ifndef COWSHIM_BASE_TREE_H
#define COWSHIM_BASE_TREE_H

#include <stddef.h>
#include <stdint.h>

struct tree_node {
    uint64_t key;
    struct tree_node *left, *right, *parent;
};

struct tree {
    struct tree_node *root;
};

/* The structure that holds the node. */
#define tree_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

void tree_insert(struct tree *tree, struct tree_node *node); /* node->key is set by the caller */
void tree_remove(struct tree *tree, struct tree_node *node);
struct tree_node *tree_first(const struct tree *tree);
struct tree_node *tree_next(const struct tree_node *node);
struct tree_node *tree_previous(const struct tree_node *node);
/* The node with the largest key that is not above key, or NULL; and the one with the smallest that is not below. */
struct tree_node *tree_at_or_below(const struct tree *tree, uint64_t key);
struct tree_node *tree_at_or_above(const struct tree *tree, uint64_t key);

#endif
