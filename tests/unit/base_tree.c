/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/tree.h"
#include "unit.h"

#define NODES 400

static struct tree_node nodes[NODES];
static bool in_tree[NODES];

static struct tree_node *best(uint64_t key, bool below)
{
    struct tree_node *found = NULL;

    for (int i = 0; i < NODES; i++) {
        struct tree_node *node = &nodes[i];

        if (!in_tree[i] || (below ? node->key > key : node->key < key))
            continue;
        if (found == NULL || (below ? node->key > found->key : node->key < found->key))
            found = node;
    }
    return found;
}

static uint64_t key_of(const struct tree_node *node)
{
    return node == NULL ? UINT64_MAX : node->key;
}

static void check_order(const struct tree *tree, size_t count)
{
    struct tree_node *last = NULL;
    size_t seen = 0;

    for (struct tree_node *node = tree_first(tree); node != NULL; node = tree_next(node)) {
        CHECK(last == NULL || last->key <= node->key);
        CHECK(tree_previous(node) == last);
        CHECK(in_tree[node - nodes]);
        last = node;
        seen++;
    }
    CHECK_EQ(seen, count);
}

TEST(tree, agrees_with_an_array_over_random_insertions_and_removals)
{
    struct tree tree = {NULL};
    size_t count = 0;

    for (int step = 0; step < 20000; step++) {
        size_t i = unit_random() % NODES;
        uint64_t key = unit_random() % 300; /* keys repeat */

        if (in_tree[i]) {
            tree_remove(&tree, &nodes[i]);
            count--;
        } else {
            nodes[i].key = key;
            tree_insert(&tree, &nodes[i]);
            count++;
        }
        in_tree[i] = !in_tree[i];
        CHECK_EQ(key_of(tree_at_or_below(&tree, key)), key_of(best(key, true)));
        CHECK_EQ(key_of(tree_at_or_above(&tree, key)), key_of(best(key, false)));
        if (step % 100 == 0)
            check_order(&tree, count);
    }
}

static int depth(const struct tree_node *node)
{
    int left, right;

    if (node == NULL)
        return 0;
    left = depth(node->left);
    right = depth(node->right);
    return 1 + (left > right ? left : right);
}

TEST(tree, stays_shallow_when_keys_rise)
{
    static struct tree_node many[20000];
    struct tree tree = {NULL};

    for (size_t i = 0; i < 20000; i++) {
        many[i].key = i;
        tree_insert(&tree, &many[i]);
    }
    CHECK_AT(depth(tree.root) < 60, depth(tree.root));
}

TEST(tree, empty_and_edges_give_null)
{
    struct tree tree = {NULL};
    struct tree_node node = {.key = 10};

    CHECK(tree_first(&tree) == NULL);
    CHECK(tree_at_or_below(&tree, UINT64_MAX) == NULL);
    CHECK(tree_at_or_above(&tree, 0) == NULL);
    tree_insert(&tree, &node);
    CHECK(tree_at_or_below(&tree, 9) == NULL);
    CHECK(tree_at_or_below(&tree, 10) == &node);
    CHECK(tree_at_or_above(&tree, 10) == &node);
    CHECK(tree_at_or_above(&tree, 11) == NULL);
    CHECK(tree_next(&node) == NULL);
    CHECK(tree_previous(&node) == NULL);
    tree_remove(&tree, &node);
    CHECK(tree.root == NULL);
}
