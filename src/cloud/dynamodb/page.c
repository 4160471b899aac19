#include "cloud/dynamodb/page.h"

#include <string.h>

/* What Query and Scan have in common before anything is read: parameters, the index, where to go
 * on. */

static int read_select(struct request *r, struct page *page, int is_query)
{
    static const char *const values[] = {
        "", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT", NULL};
    int choice;
    if (param_choice(r, "Select", values, &choice) < 0)
        return -1;
    page->select = (enum select_type)choice;
    if (page->select == SELECT_PROJECTED && !json_object_get(r->body, "IndexName"))
        return err_set(
            &r->err, ERR_INVALID,
            "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");
    if (page->expressions.has_projection && page->select != SELECT_DEFAULT &&
        page->select != SELECT_SPECIFIC)
        return err_set(&r->err, ERR_INVALID,
                       "Cannot specify the ProjectionExpression when choosing to get %s",
                       values[page->select]);
    if (!page->expressions.has_projection && page->select == SELECT_SPECIFIC)
        return err_set(&r->err, ERR_INVALID,
                       "%sMust specify the AttributesToGet or ProjectionExpression when choosing "
                       "to get SPECIFIC_ATTRIBUTES",
                       is_query ? "1 validation error detected: " : "");
    return 0;
}

/* Query's own text; Scan's limit is checked with its other parameters. */
static int read_limit(struct request *r, struct page *page)
{
    int present;
    if (param_integer(r, "Limit", &page->limit, &present) < 0)
        return -1;
    if (!present || page->limit >= 1)
        return 0;
    return err_set(&r->err, ERR_INVALID,
                   "1 validation error detected: Value at 'Limit' failed to satisfy constraint: "
                   "Member must have value greater than or equal to 1");
}

/* AWS says of most errors in ExclusiveStartKey that they are there. */
static int read_start(struct request *r, struct page *page)
{
    const json_t *json = json_object_get(r->body, "ExclusiveStartKey");
    if (!json_is_object(json) || item_read(json, &page->start, r->layer, r->arena, &r->err) == 0)
        return 0;
    const char *text = r->err.message;
    if (r->err.code == ERR_INVALID && !strstr(text, "contains duplicates") &&
        !strstr(text, "number set") && !strstr(text, "numeric value") &&
        !strstr(text, "significant digits") && !strstr(text, "number with magnitude"))
        r->message = arena_printf(r->arena, "The provided starting key is invalid: %s", text);
    return -1;
}

int page_begin(struct request *r, struct page *page, unsigned uses)
{
    return read_limit(r, page) < 0 || param_flag(r, "ConsistentRead", &page->consistent) < 0 ||
                   param_capacity(r, &page->capacity) < 0 ||
                   expressions_begin(r, r->body, uses, &page->expressions) < 0
               ? -1
               : read_start(r, page);
}

int page_read(struct request *r, struct page *page, unsigned uses)
{
    return expressions_finish(r, r->body, uses, &page->expressions) < 0
               ? -1
               : read_select(r, page, uses & USES_KEY_CONDITION);
}

static int find_index(struct request *r, struct page *page)
{
    const char *name;
    page->keys = &page->table->keys;
    if (param_string(r, "IndexName", &name) < 0)
        return -1;
    if (!name)
        return 0;
    page->index = request_index(r, page->table, name);
    if (!page->index)
        return -1;
    page->keys = &page->index->keys;
    if (page->index->backfilling)
        return err_set(&r->err, ERR_INVALID,
                       "Cannot read from backfilling global secondary index: %s", name);
    if (page->index->global && page->consistent)
        return err_set(&r->err, ERR_INVALID,
                       "Consistent reads are not supported on global secondary indexes");
    if (page->index->global && page->select == SELECT_ALL && page->index->type != PROJECTION_ALL)
        return err_set(&r->err, ERR_INVALID,
                       "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is "
                       "not supported for global secondary index %s because its projection type is "
                       "not ALL",
                       name);
    return 0;
}

/* Only Scan of a table says why. */
static int wrong_start(struct request *r, const struct page *page, int is_query)
{
    return err_set(
        &r->err, ERR_INVALID, "The provided starting key is invalid%s",
        is_query || page->index ? "" : ": The provided key element does not match the schema");
}

static int check_start_part(struct request *r, const struct page *page, const struct key_part *part,
                            const struct value *value, int is_query)
{
    if (!value)
        return wrong_start(r, page, is_query);
    if (value->type == part->type && (value->type == VALUE_N || value->bytes.size))
        return 0;
    return is_query
               ? err_set(&r->err, ERR_INVALID, "The provided key element does not match the schema")
               : wrong_start(r, page, is_query);
}

static int check_start(struct request *r, const struct page *page, const struct value *start,
                       int is_query)
{
    const struct key_schema *schemas[2] = {&page->table->keys, page->keys};
    size_t expected = schemas[0]->count;
    for (size_t j = 0; page->index && j < schemas[1]->count; j++)
        expected += !key_schema_has(schemas[0], schemas[1]->parts[j].name);
    if (start->map.count != expected)
        return wrong_start(r, page, is_query);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < schemas[i]->count; j++) {
            const struct key_part *part = &schemas[i]->parts[j];
            const struct value *value = value_member(start, part->name);
            if (check_start_part(r, page, part, value, is_query) < 0)
                return -1;
        }
    return 0;
}

/* The key lies outside of the range that is read. */
static int outside(struct request *r, const struct page *page, const struct value *start,
                   int is_query)
{
    struct key hash;
    struct key_values of = {.count = page->keys->hashes, .hashes = page->keys->hashes};
    if (!is_query)
        return err_set(
            &r->err, ERR_INVALID,
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use "
            "ExclusiveStartKey with correct Segment.");
    for (size_t i = 0; i < of.count; i++)
        of.values[i] = value_member(start, page->keys->parts[i].name);
    if (key_prefix(&of, 1, &hash, r->arena, &r->err) < 0)
        return -1;
    int same_hash = page->low.size > hash.size && !memcmp(page->low.data, hash.data, hash.size);
    return err_set(&r->err, ERR_INVALID, "The provided starting key %s",
                   same_hash ? "does not match the range key predicate"
                             : "is outside query boundaries based on provided conditions");
}

static int compare_keys(const struct key *a, const struct key *b)
{
    size_t common = a->size < b->size ? a->size : b->size;
    int order = common ? memcmp(a->data, b->data, common) : 0;
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* Go on behind ExclusiveStartKey: the range begins (or, backward, ends) there. */
int page_start(struct request *r, struct page *page, int is_query)
{
    const struct value *start = &page->start;
    struct key key;
    if (!json_is_object(json_object_get(r->body, "ExclusiveStartKey")))
        return 0;
    if (check_start(r, page, start, is_query) < 0)
        return -1;
    int made = page->index
                   ? table_index_key(page->table, page->index, start, &key, r->arena, &r->err)
                   : table_key(page->table, start, &key, r->arena, &r->err);
    if (made < 0)
        return -1;
    if (page->index && !made)
        return wrong_start(r, page, is_query);
    if (compare_keys(&key, &page->low) < 0 ||
        (page->high.size && compare_keys(&key, &page->high) >= 0))
        return outside(r, page, start, is_query);
    if (page->backward) {
        page->high = key;
        return 0;
    }
    unsigned char *after = arena_alloc(r->arena, key.size + 1, 1); /* key and 00: the next */
    if (!after)
        return err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    memcpy(after, key.data, key.size);
    page->low = (struct key){after, key.size + 1};
    return 0;
}

static int index_holds(const struct table_index *index, const char *name)
{
    for (size_t i = 0; i < index->projection.count; i++)
        if (!strcmp(index->projection.paths[i].steps[0].name, name))
            return 1;
    return 0;
}

/* A global index gives only what it holds; a local one fetches the rest from the table. */
static int check_projected(struct request *r, const struct page *page)
{
    if (!page->index || !page->index->global || page->index->type == PROJECTION_ALL)
        return 0;
    struct buf missing;
    buf_init(&missing, 4096);
    for (size_t i = 0; i < page->expressions.projection.count; i++) {
        const char *name = page->expressions.projection.paths[i].steps[0].name;
        if (!index_holds(page->index, name))
            buf_printf(&missing, "%s%s", missing.size ? ", " : "", name);
    }
    int result = 0;
    if (missing.size)
        result = err_set(&r->err, ERR_INVALID,
                         "One or more parameter values were invalid: Global secondary index %s "
                         "does not project [%s]",
                         page->index->name, missing.data);
    buf_finish(&missing);
    return result;
}

int page_holds(const struct page *page, const char *name)
{
    return index_holds(page->index, name);
}

static int projects_more(const struct page *page)
{
    for (size_t i = 0; i < page->expressions.projection.count; i++)
        if (!index_holds(page->index, page->expressions.projection.paths[i].steps[0].name))
            return 1;
    return 0;
}

int page_check(struct request *r, struct page *page)
{
    if (find_index(r, page) < 0 || expressions_check_keys(r, page->table, &page->expressions) < 0)
        return -1;
    page->fetches = page->index && !page->index->global && page->index->type != PROJECTION_ALL &&
                    (page->select == SELECT_ALL || projects_more(page));
    return check_projected(r, page);
}
