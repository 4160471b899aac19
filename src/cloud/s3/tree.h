#ifndef CLOUD_S3_TREE_H
#define CLOUD_S3_TREE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* A small XML document as a tree: the configurations of buckets, which are read, checked, kept as
 * text and read again. Everything lies in the arena. Namespaces and attributes are left out. */

struct tree {
    const char *name, *text; /* text without the space around it */
    struct tree *child, *next;
};

/* ERR_INVALID when it is no XML, ERR_TOO_BIG past a limit of cloud/xml.h or the arena. */
struct tree *tree_read(struct arena *arena, const void *data, size_t size, struct err *err);

/* The first child of that name, or NULL; of NULL too. tree_same() is the next of the same name. */
const struct tree *tree_get(const struct tree *tree, const char *name);
const struct tree *tree_same(const struct tree *tree);
/* Text of the child; NULL when there is none. */
const char *tree_text(const struct tree *tree, const char *name);
/* How many children have that name. */
size_t tree_count(const struct tree *tree, const char *name);

/* Append as XML with the S3 namespace at the root, or without. */
void tree_write(const struct tree *tree, int with_namespace, struct buf *out);

/* What a document may hold: rows "Rule/Status" with what the text must be. The last row has .path
 * NULL. An element that no row names is refused by its path (ERR_INVALID), but a row with
 * .is_refused by ERR_UNSUPPORTED. */
enum tree_kind { TREE_PARENT, TREE_TEXT, TREE_NUMBER, TREE_BOOLEAN, TREE_ONE_OF };
struct tree_rule {
    const char *path; /* below the root */
    enum tree_kind kind;
    const char *words; /* TREE_ONE_OF: "Enabled Disabled" */
    int is_refused;
};
int tree_check(const struct tree *tree, const char *root, const struct tree_rule *rules,
               struct err *err);

#endif
