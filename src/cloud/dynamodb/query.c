#include "cloud/dynamodb/legacy.h"
#include "cloud/dynamodb/page.h"

#include <string.h>

static int check_filter(struct request *r, const struct page *page, const struct node *node)
{
    if (!node)
        return 0;
    if (node->type == NODE_PATH && key_schema_has(page->keys, node->path.steps[0].name))
        return err_set(&r->err, ERR_INVALID,
                       "%s can only contain non-primary key attributes: Primary key attribute: %s",
                       page->expressions.legacy ? "QueryFilter" : "Filter Expression",
                       node->path.steps[0].name);
    for (size_t i = 0; i < node->count; i++)
        if (check_filter(r, page, node->args[i]) < 0)
            return -1;
    return 0;
}

enum { MAX_MISSING = 64 };

struct missing {
    const char *names[MAX_MISSING]; /* in order; what is more is left out */
    size_t count;
};

static void add_missing(struct missing *missing, const char *name)
{
    size_t at = 0;
    while (at < missing->count && strcmp(missing->names[at], name) < 0)
        at++;
    if (missing->count == MAX_MISSING ||
        (at < missing->count && strcmp(missing->names[at], name) == 0))
        return;
    memmove(&missing->names[at + 1], &missing->names[at],
            (missing->count++ - at) * sizeof *missing->names);
    missing->names[at] = name;
}

/* A filter may not look at what the index does not hold; Query says so, Scan sees it as absent. */
static void find_missing(const struct page *page, const struct node *node, struct missing *out)
{
    const char *name = node->type == NODE_PATH ? node->path.steps[0].name : NULL;
    if (name && !page_holds(page, name))
        add_missing(out, name);
    for (size_t i = 0; i < node->count; i++)
        find_missing(page, node->args[i], out);
}

static int check_held(struct request *r, const struct page *page)
{
    struct missing missing = {0};
    struct buf names;
    if (!page->index || page->index->type == PROJECTION_ALL || !page->expressions.filter)
        return 0;
    find_missing(page, page->expressions.filter, &missing);
    if (!missing.count)
        return 0;
    buf_init(&names, 4096);
    for (size_t i = 0; i < missing.count; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", missing.names[i]);
    err_set(&r->err, ERR_INVALID,
            "One or more parameter values were invalid: Secondary index %s does not project one or "
            "more filter attributes: [%s]",
            page->index->name, names.data ? names.data : "");
    buf_finish(&names);
    return -1;
}

static int run_query(struct request *r, struct page *page)
{
    if (page_check(r, page) < 0 || page_set_keys(r, page) < 0 ||
        check_filter(r, page, page->expressions.filter) < 0 || check_held(r, page) < 0 ||
        page_start(r, page, 1) < 0)
        return -1;
    return page_answer(r, page);
}

enum { USES = USES_KEY_CONDITION | USES_FILTER | USES_PROJECTION };

static int read_query(struct request *r, struct page *page)
{
    const json_t *conditions = json_object_get(r->body, "KeyConditions");
    const json_t *expression = json_object_get(r->body, "KeyConditionExpression");
    int forward;
    if (page_begin(r, page, USES) < 0 || param_flag(r, "ScanIndexForward", &forward) < 0)
        return -1;
    page->backward = json_is_false(json_object_get(r->body, "ScanIndexForward"));
    if (!json_is_object(conditions) && !json_is_string(expression))
        return err_set(&r->err, ERR_INVALID,
                       "Either the KeyConditions or KeyConditionExpression parameter must be "
                       "specified in the request.");
    if (page_read(r, page, USES) < 0 || legacy_parse_keys(r, &page->expressions) < 0)
        return -1;
    return page_read_conditions(r, page);
}

int query(struct request *r)
{
    struct page page = {0};
    const char *name;
    if (param_table_name(r, NULL, &name) < 0 || read_query(r, &page) < 0)
        return -1;
    struct table *table = request_find_table(r, name);
    if (!table)
        return -1;
    page.table = table;
    int result = run_query(r, &page);
    table_release(table);
    return result;
}
