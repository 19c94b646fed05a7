/* SPDX-License-Identifier: MIT */
#include "base/tree.h"

#include <stdbool.h>

#include "base/poison.h"

/* Fibonacci hashing: nodes come from pools, so neighbouring addresses must give unrelated priorities. */
static uint64_t priority(const struct tree_node *node)
{
    uint64_t x = (uint64_t)(uintptr_t)node * UINT64_C(0x9e3779b97f4a7c15);

    x ^= x >> 32;
    return x * UINT64_C(0xd6e8feb86659fd93);
}

static void replace_child(struct tree *tree, struct tree_node *parent, struct tree_node *old, struct tree_node *new)
{
    if (parent == NULL)
        tree->root = new;
    else if (parent->left == old)
        parent->left = new;
    else
        parent->right = new;
    if (new != NULL)
        new->parent = parent;
}

/* Lifts a node above its parent, keeping the order of keys. */
static void rotate_up(struct tree *tree, struct tree_node *node)
{
    struct tree_node *parent = node->parent;
    struct tree_node *grandparent = parent->parent;
    struct tree_node *moved;

    if (parent->left == node) {
        moved = node->right;
        node->right = parent;
        parent->left = moved;
    } else {
        moved = node->left;
        node->left = parent;
        parent->right = moved;
    }
    if (moved != NULL)
        moved->parent = parent;
    replace_child(tree, grandparent, parent, node);
    parent->parent = node;
}

void tree_insert(struct tree *tree, struct tree_node *node)
{
    struct tree_node *parent = NULL;
    struct tree_node **link = &tree->root;

    while (*link != NULL) {
        parent = *link;
        link = node->key < parent->key ? &parent->left : &parent->right;
    }
    *link = node;
    node->parent = parent;
    node->left = NULL;
    node->right = NULL;
    while (node->parent != NULL && priority(node) > priority(node->parent))
        rotate_up(tree, node);
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
    while (node->left != NULL && node->right != NULL)
        rotate_up(tree, priority(node->left) > priority(node->right) ? node->left : node->right);
    replace_child(tree, node->parent, node, node->left != NULL ? node->left : node->right);
}

struct tree_node *tree_first(const struct tree *tree)
{
    struct tree_node *node = tree->root;

    while (node != NULL && node->left != NULL)
        node = node->left;
    return node;
}

struct tree_node *tree_next(const struct tree_node *node)
{
    struct tree_node *up;

    if (node->right != NULL) {
        struct tree_node *down = node->right;

        while (down->left != NULL)
            down = down->left;
        return down;
    }
    for (up = node->parent; up != NULL && up->right == node; up = up->parent)
        node = up;
    return up;
}

struct tree_node *tree_previous(const struct tree_node *node)
{
    struct tree_node *up;

    if (node->left != NULL) {
        struct tree_node *down = node->left;

        while (down->right != NULL)
            down = down->right;
        return down;
    }
    for (up = node->parent; up != NULL && up->left == node; up = up->parent)
        node = up;
    return up;
}

struct tree_node *tree_at_or_below(const struct tree *tree, uint64_t key)
{
    struct tree_node *node = tree->root;
    struct tree_node *best = NULL;

    while (node != NULL) {
        if (node->key <= key) {
            best = node;
            node = node->right;
        } else {
            node = node->left;
        }
    }
    return best;
}

struct tree_node *tree_at_or_above(const struct tree *tree, uint64_t key)
{
    struct tree_node *node = tree->root;
    struct tree_node *best = NULL;

    while (node != NULL) {
        if (node->key >= key) {
            best = node;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return best;
}
