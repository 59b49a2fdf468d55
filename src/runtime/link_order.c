/* link_order.c - red-black trees by age (Cormen et al., Introduction to Algorithms, chapter 13),
 * with the choices that OTP's has: a node with two children is replaced by its successor. */
#include "link_order.h"

#include <stdbool.h>
#include <stdlib.h>

#include "../base/assert.h"
#include "../base/hash.h"
#include "../base/scarcity.h"

enum side { LEFT, RIGHT };

struct node {
    struct node *child[2];
    struct node *parent;
    uint64_t age;
    cop_pid peer;
    bool red;
};

/* The links of a process that has any. */
struct tree {
    struct hash_node owner;
    struct node *root;
    uint64_t last_age;
};

static struct hash trees;

static struct tree *tree_of(cop_pid owner)
{
    return (struct tree *)copi_hash_find(&trees, owner.bits);
}

static bool is_red(const struct node *node)
{
    return node != NULL && node->red;
}

/* Which child of its parent a node is. */
static enum side side_of(const struct node *node)
{
    return node->parent->child[RIGHT] == node ? RIGHT : LEFT;
}

/* Puts another node, or none, where `old` hangs. */
static void hang(struct node **root, struct node *old, struct node *other)
{
    if (old->parent == NULL)
        *root = other;
    else
        old->parent->child[side_of(old)] = other;
    if (other != NULL)
        other->parent = old->parent;
}

static void adopt(struct node *parent, enum side side, struct node *child)
{
    parent->child[side] = child;
    if (child != NULL)
        child->parent = parent;
}

/* The node goes down to that side; the child on the other side takes its place. */
static void rotate(struct node **root, struct node *node, enum side side)
{
    struct node *up = node->child[!side];
    hang(root, node, up);
    adopt(node, !side, up->child[side]);
    adopt(up, side, node);
}

/* ---- adding -------------------------------------------------------------------------- */

/* The node is red, and so may be its parent: moves that up or ends it. */
static void repair_red(struct node **root, struct node *node)
{
    while (is_red(node->parent)) {
        struct node *parent = node->parent, *above = parent->parent;
        enum side side = side_of(parent);
        struct node *uncle = above->child[!side];
        if (is_red(uncle)) {
            parent->red = uncle->red = false;
            above->red = true;
            node = above;
            continue;
        }
        if (side_of(node) != side) {
            rotate(root, parent, side);
            parent = node;
        }
        parent->red = false;
        above->red = true;
        rotate(root, above, !side);
        break;
    }
    (*root)->red = false;
}

static void insert_youngest(struct node **root, struct node *node)
{
    struct node *youngest = *root;
    while (youngest != NULL && youngest->child[RIGHT] != NULL)
        youngest = youngest->child[RIGHT];
    if (youngest == NULL)
        *root = node;
    else
        adopt(youngest, RIGHT, node);
    repair_red(root, node);
}

/* Without it the node ends. */
static void *needed_block(size_t size)
{
    void *block = calloc(1, size);
    if (block != NULL)
        return block;
    copi_needed_begin();
    block = calloc(1, size);
    copi_needed_end();
    if (block == NULL)
        copi_no_memory("a link");
    return block;
}

uint64_t copi_link_order_add(cop_pid owner, cop_pid peer)
{
    struct tree *tree = tree_of(owner);
    if (tree == NULL) {
        tree = needed_block(sizeof *tree);
        copi_hash_insert(&trees, &tree->owner, owner.bits);
    }
    struct node *node = needed_block(sizeof *node);
    *node = (struct node){ .age = ++tree->last_age, .peer = peer, .red = true };
    insert_youngest(&tree->root, node);
    return node->age;
}

/* ---- removing ------------------------------------------------------------------------ */

/* A black node is missing in the subtree on that side of parent. */
static void repair_black(struct node **root, struct node *parent, enum side side)
{
    while (parent != NULL && !is_red(parent->child[side])) {
        struct node *sibling = parent->child[!side];
        if (is_red(sibling)) {
            sibling->red = false;
            parent->red = true;
            rotate(root, parent, side);
            sibling = parent->child[!side];
        }
        if (!is_red(sibling->child[LEFT]) && !is_red(sibling->child[RIGHT])) {
            sibling->red = true;
            if (parent->parent == NULL || parent->red) {
                parent->red = false;
                return;
            }
            side = side_of(parent);
            parent = parent->parent;
            continue;
        }
        if (!is_red(sibling->child[!side])) {
            sibling->child[side]->red = false;
            sibling->red = true;
            rotate(root, sibling, !side);
            sibling = parent->child[!side];
        }
        sibling->red = parent->red;
        parent->red = false;
        sibling->child[!side]->red = false;
        rotate(root, parent, side);
        return;
    }
    struct node *child = parent == NULL ? *root : parent->child[side];
    if (child != NULL)
        child->red = false;
}

static void take_out(struct node **root, struct node *node)
{
    struct node *out = node;          /* the one whose place in the tree goes */
    if (node->child[LEFT] != NULL && node->child[RIGHT] != NULL)
        for (out = node->child[RIGHT]; out->child[LEFT] != NULL;)
            out = out->child[LEFT];
    struct node *parent = out->parent;
    enum side side = parent == NULL ? LEFT : side_of(out);
    bool black = !out->red;
    hang(root, out, out->child[out->child[LEFT] != NULL ? LEFT : RIGHT]);
    if (out != node) {
        if (parent == node)
            parent = out;
        hang(root, node, out);
        adopt(out, LEFT, node->child[LEFT]);
        adopt(out, RIGHT, node->child[RIGHT]);
        out->red = node->red;
    }
    free(node);
    if (black)
        repair_black(root, parent, side);
}

void copi_link_order_remove(cop_pid owner, uint64_t age)
{
    struct tree *tree = tree_of(owner);
    COP_ASSERT(tree != NULL);
    struct node *node = tree->root;
    while (node != NULL && node->age != age)
        node = node->child[age > node->age ? RIGHT : LEFT];
    COP_ASSERT(node != NULL);
    take_out(&tree->root, node);
}

/* ---- the end ----------------------------------------------------------------------------- */

static void tell_below(struct node *node, void (*tell)(cop_pid, void *), void *context)
{
    if (node == NULL)
        return;
    tell_below(node->child[LEFT], tell, context);
    tell_below(node->child[RIGHT], tell, context);
    tell(node->peer, context);
    free(node);
}

void copi_link_order_tell(cop_pid owner, void (*tell)(cop_pid peer, void *context), void *context)
{
    struct tree *tree = tree_of(owner);
    if (tree == NULL)
        return;
    copi_hash_remove(&trees, &tree->owner);
    tell_below(tree->root, tell, context);
    free(tree);
}
