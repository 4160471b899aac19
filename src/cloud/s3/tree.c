#include "cloud/s3/tree.h"

#include "cloud/errors.h"
#include "cloud/s3/s3.h"
#include "cloud/xml.h"

#include <stdio.h>
#include <string.h>

/* The reader is told of elements when they end: those below are waiting by then. */
struct builder {
    struct arena *arena;
    struct tree *first[XML_MAX_DEPTH + 2], *last[XML_MAX_DEPTH + 2]; /* waiting, by depth */
};

static char *trimmed(struct arena *arena, const char *text)
{
    static const char space[] = " \t\r\n";
    text += strspn(text, space);
    size_t size = strlen(text);
    while (size && strchr(space, text[size - 1]))
        size--;
    return arena_copy(arena, text, size);
}

static int take_element(void *context, const char *path, const char *text, struct err *err)
{
    struct builder *b = context;
    size_t depth = 0;
    for (const char *p = path; *p; p++)
        depth += *p == '/';
    const char *slash = strrchr(path, '/');
    struct tree *tree = arena_new(b->arena, struct tree, 1);
    if (!tree || !(tree->name = arena_strdup(b->arena, slash ? slash + 1 : path)))
        return err_set(err, ERR_TOO_BIG, "the document is too long");
    tree->child = b->first[depth + 1];
    b->first[depth + 1] = b->last[depth + 1] = NULL;
    /* Text that is only space is kept: it may be a value. */
    tree->text = tree->child ? "" : arena_strdup(b->arena, text);
    if (!tree->text)
        return err_set(err, ERR_TOO_BIG, "the document is too long");
    if (b->last[depth])
        b->last[depth]->next = tree;
    else
        b->first[depth] = tree;
    b->last[depth] = tree;
    return 0;
}

struct tree *tree_read(struct arena *arena, const void *data, size_t size, struct err *err)
{
    struct builder b = {.arena = arena};
    if (xml_read(data, size, take_element, &b, err) < 0)
        return NULL;
    if (!b.first[0])
        err_set(err, ERR_INVALID, "read XML: it is empty");
    return b.first[0];
}

const struct tree *tree_get(const struct tree *tree, const char *name)
{
    const struct tree *child = tree ? tree->child : NULL;
    while (child && strcmp(child->name, name) != 0)
        child = child->next;
    return child;
}

const struct tree *tree_same(const struct tree *tree)
{
    const struct tree *next = tree->next;
    while (next && strcmp(next->name, tree->name) != 0)
        next = next->next;
    return next;
}

const char *tree_text(const struct tree *tree, const char *name)
{
    const struct tree *child = tree_get(tree, name);
    return child ? child->text : NULL;
}

size_t tree_count(const struct tree *tree, const char *name)
{
    size_t count = 0;
    for (const struct tree *t = tree_get(tree, name); t; t = tree_same(t))
        count++;
    return count;
}

void tree_write(const struct tree *tree, int with_namespace, struct buf *out)
{
    buf_printf(out, "<%s%s>", tree->name, with_namespace ? " xmlns=\"" S3_NAMESPACE "\"" : "");
    error_xml_escape(out, tree->text);
    for (const struct tree *child = tree->child; child; child = child->next)
        tree_write(child, 0, out);
    buf_printf(out, "</%s>", tree->name);
}

/* -- checking -- */

static int is_one_of(const char *words, const char *text)
{
    size_t length = strlen(text);
    for (const char *p = words; *p;) {
        size_t size = strcspn(p, " ");
        if (size == length && memcmp(p, text, size) == 0)
            return 1;
        p += size;
        p += strspn(p, " ");
    }
    return 0;
}

static int fits(struct arena *scratch, const struct tree_rule *rule, const struct tree *tree)
{
    const char *text = trimmed(scratch, tree->text);
    if (!text)
        return 0;
    switch (rule->kind) {
    case TREE_NUMBER:
        return !tree->child && s3_number(text, INT64_MAX) >= 0;
    case TREE_BOOLEAN:
        return !tree->child && is_one_of("true false TRUE FALSE True False", text);
    case TREE_ONE_OF:
        return !tree->child && is_one_of(rule->words, text);
    case TREE_TEXT:
        return !tree->child;
    case TREE_PARENT:
        break;
    }
    return !*text;
}

static const struct tree_rule *find_rule(const struct tree_rule *rules, const char *path)
{
    for (; rules->path; rules++)
        if (strcmp(rules->path, path) == 0)
            return rules;
    return NULL;
}

static int check_below(struct arena *scratch, const struct tree *tree, const char *path,
                       const struct tree_rule *rules, struct err *err)
{
    for (const struct tree *child = tree->child; child; child = child->next) {
        char below[XML_MAX_PATH + XML_MAX_NAME];
        snprintf(below, sizeof below, "%s%s%s", path, *path ? "/" : "", child->name);
        const struct tree_rule *rule = find_rule(rules, below);
        if (!rule)
            return err_set(err, ERR_INVALID, "unknown element %s", below);
        if (rule->is_refused)
            return err_set(err, ERR_UNSUPPORTED, "%s", below);
        if (!fits(scratch, rule, child))
            return err_set(err, ERR_INVALID, "%s has a wrong value", below);
        if (check_below(scratch, child, below, rules, err) < 0)
            return -1;
    }
    return 0;
}

int tree_check(const struct tree *tree, const char *root, const struct tree_rule *rules,
               struct err *err)
{
    enum { SCRATCH_BYTES = 1024 * 1024 };
    struct arena scratch;
    if (strcmp(tree->name, root) != 0)
        return err_set(err, ERR_INVALID, "the root is %s, not %s", tree->name, root);
    arena_init(&scratch, SCRATCH_BYTES);
    int result = check_below(&scratch, tree, "", rules, err);
    arena_finish(&scratch);
    return result;
}
