/* Configurations of buckets: the tree, its check against rules, and written again the same tree. */
#include "cloud/s3/tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct tree_rule rules[] = {
    {.path = "Rule", .kind = TREE_PARENT},
    {.path = "Rule/ID", .kind = TREE_TEXT},
    {.path = "Rule/Status", .kind = TREE_ONE_OF, .words = "Enabled Disabled"},
    {.path = "Rule/Days", .kind = TREE_NUMBER},
    {.path = "Rule/Flag", .kind = TREE_BOOLEAN},
    {.path = "Rule/Transition", .is_refused = 1},
    {0}};

static int same(const struct tree *a, const struct tree *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a->name, b->name) == 0 && strcmp(a->text, b->text) == 0 &&
           same(a->child, b->child) && same(a->next, b->next);
}

static void write_and_read(struct arena *arena, const struct tree *tree)
{
    struct err err = {0};
    struct buf text;
    buf_init(&text, 1 << 24);
    tree_write(tree, 1, &text);
    if (text.failed)
        abort();
    const struct tree *again = tree_read(arena, text.data, text.size, &err);
    if (!again || !same(tree, again))
        abort(); /* what is kept is not what came */
    buf_finish(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct arena arena;
    arena_init(&arena, 64 << 20);
    const struct tree *tree = tree_read(&arena, data, size, &err);
    if (!tree && err.code == ERR_NONE)
        abort(); /* a failure without a cause */
    if (tree && tree_check(tree, "Rules", rules, &err) == 0)
        write_and_read(&arena, tree);
    arena_finish(&arena);
    return 0;
}
