#include "cloud/dynamodb/request.h"

#include <stdio.h>
#include <string.h>

/* Query and Scan: a range of keys of a table or an index, read in pages of at most Limit items or
 * 1 MB. */

enum { PAGE_MAX_BYTES = 1024 * 1024, MAX_SEGMENTS = 1000000 };

enum select_type { SELECT_DEFAULT, SELECT_ALL, SELECT_PROJECTED, SELECT_SPECIFIC, SELECT_COUNT };

struct page {
    const struct table *table;
    const struct table_index *index;
    const struct key_schema *keys; /* of the index, or the table */
    struct expressions expressions;
    struct key low, high; /* low <= key < high; high of size 0: no end */
    int64_t limit;
    int backward, consistent, empty;
    enum select_type select;
    enum capacity_detail capacity;
    /* Made: */
    size_t bytes, count, scanned;
    double fetched_units; /* of a local index's items that were read from the table */
    struct buf last;      /* the text of the last item seen */
    int more;
};

static const struct projection *index_projection(const struct page *page)
{
    if (!page->index || page->index->type == PROJECTION_ALL)
        return NULL;
    int fetches = page->select == SELECT_ALL || page->expressions.has_projection;
    return !page->index->global && fetches ? NULL : &page->index->projection;
}

/* One row: count it, and add the item to the answer when it passes the filter. */
static int see_item(struct request *r, struct page *page, const char *text, size_t size)
{
    const struct projection *own = index_projection(page);
    const struct projection *wanted =
        page->expressions.has_projection ? &page->expressions.projection : NULL;
    int shown = page->select != SELECT_COUNT;
    if (!page->expressions.filter && !own && (!wanted || !shown)) {
        buf_puts(&r->out, shown && page->count ? "," : "");
        page->count++;
        return shown ? buf_append(&r->out, text, size) : 0;
    }
    struct arena scratch;
    struct value item;
    arena_init(&scratch, 64 * 1024 * 1024);
    json_t *json = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
    int result = json ? item_from_json(json, &item, &scratch, &r->err) : -1;
    if (result < 0)
        err_set(&r->err, ERR_IO, "a stored item is damaged");
    if (result == 0 && own)
        result = projection_apply(own, &item, &item, &scratch, &r->err);
    if (result == 0 &&
        (!page->expressions.filter || condition_holds(page->expressions.filter, &item))) {
        if (wanted && shown)
            result = projection_apply(wanted, &item, &item, &scratch, &r->err);
        buf_puts(&r->out, shown && page->count ? "," : "");
        page->count++;
        if (shown)
            item_write(&r->out, &item);
    }
    json_decref(json);
    arena_finish(&scratch);
    return result;
}

static sqlite3_stmt *prepare(struct connection *connection, const struct page *page,
                             struct err *err)
{
    char sql[TABLE_SQL_BYTES];
    const char *until = page->high.size ? "AND k.key < ?2" : "";
    const char *order = page->backward ? "DESC" : "ASC";
    long long id = (long long)page->table->id;
    if (page->index)
        snprintf(sql, sizeof sql,
                 "SELECT i.item, i.size FROM x%lld_%d k JOIN i%lld i ON i.key = k.base "
                 "WHERE k.key >= ?1 %s ORDER BY k.key %s",
                 id, page->index->number, id, until, order);
    else
        snprintf(sql, sizeof sql,
                 "SELECT k.item, k.size FROM i%lld k WHERE k.key >= ?1 %s ORDER BY k.key %s", id,
                 until, order);
    sqlite3_stmt *s = connection_prepare(connection, sql, err);
    if (!s)
        return NULL;
    sqlite3_bind_blob(s, 1, page->low.size ? (const void *)page->low.data : "", (int)page->low.size,
                      SQLITE_STATIC);
    if (page->high.size)
        sqlite3_bind_blob(s, 2, page->high.data, (int)page->high.size, SQLITE_STATIC);
    return s;
}

static int see_row(struct request *r, struct page *page, sqlite3_stmt *s)
{
    const char *text = (const char *)sqlite3_column_text(s, 0);
    size_t size = (size_t)sqlite3_column_bytes(s, 0);
    page->scanned++;
    page->bytes += (size_t)sqlite3_column_int64(s, 1);
    buf_clear(&page->last);
    if (buf_append(&page->last, text, size) < 0)
        return err_set(&r->err, ERR_NO_MEMORY, "read items: out of memory");
    return see_item(r, page, text, size);
}

static int read_page(struct request *r, struct page *page)
{
    struct connection *connection = database_read_begin(r->service->database, &r->err);
    if (!connection)
        return -1;
    sqlite3_stmt *s = prepare(connection, page, &r->err);
    int result = s ? 0 : fail_table(r, page->table), step = SQLITE_ROW;
    while (result == 0 && !page->more && (step = sqlite3_step(s)) == SQLITE_ROW) {
        if (page->bytes >= PAGE_MAX_BYTES) {
            page->more = 1;
            break;
        }
        result = see_row(r, page, s);
        page->more = page->limit && page->scanned == (size_t)page->limit;
    }
    if (result == 0 && step != SQLITE_ROW && step != SQLITE_DONE)
        result = connection_fail(connection, "read items", &r->err);
    connection_reset(s);
    database_read_end(r->service->database, connection);
    return result;
}

static int write_last_key(struct request *r, const struct page *page)
{
    struct value item, key = {.type = VALUE_M};
    const struct key_schema *schemas[2] = {&page->table->keys, page->keys};
    if (item_parse(r, page->last.data, page->last.size, &item) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < schemas[i]->count; j++) {
            const char *name = schemas[i]->parts[j].name;
            const struct value *value = value_member(&item, name);
            if (value && value_set_member(&key, name, value, r->arena, &r->err) < 0)
                return -1;
        }
    buf_puts(&r->out, ",\"LastEvaluatedKey\":");
    item_write(&r->out, &key);
    return 0;
}

/* An index is charged for what it holds; a local one's missing attributes are read from the table,
 * item by item. */
static void write_page_usage(struct request *r, const struct page *page)
{
    struct usage usage = {.table = page->table};
    double units = read_units(page->bytes, page->consistent);
    if (!page->index) {
        usage.table_units = units;
    } else {
        usage.index_units[page->index - page->table->indexes] = units;
        usage.table_units = page->fetched_units;
    }
    usage_write(r, page->capacity, &usage);
}

static int answer(struct request *r, struct page *page)
{
    buf_init(&page->last, REQUEST_MAX_OUT_BYTES);
    buf_puts(&r->out, page->select == SELECT_COUNT ? "{" : "{\"Items\":[");
    int result = page->empty ? 0 : read_page(r, page);
    if (result == 0) {
        buf_printf(&r->out, "%s\"Count\":%zu,\"ScannedCount\":%zu",
                   page->select == SELECT_COUNT ? "" : "],", page->count, page->scanned);
        if (page->more)
            result = write_last_key(r, page);
        if (page->capacity) {
            buf_puts(&r->out, ",\"ConsumedCapacity\":");
            write_page_usage(r, page);
        }
        buf_puts(&r->out, "}");
    }
    buf_finish(&page->last);
    return result;
}

static int read_select(struct request *r, struct page *page)
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
                       "Must specify the AttributesToGet or ProjectionExpression when choosing to "
                       "get SPECIFIC_ATTRIBUTES");
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

static int read_common(struct request *r, struct page *page, unsigned uses)
{
    if (read_limit(r, page) < 0 || param_flag(r, "ConsistentRead", &page->consistent) < 0 ||
        param_capacity(r, &page->capacity) < 0 ||
        expressions_parse(r, r->body, uses, &page->expressions) < 0)
        return -1;
    return read_select(r, page);
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

static int wrong_start(struct request *r, const char *why)
{
    return err_set(&r->err, ERR_INVALID, "The provided starting key is %s", why);
}

static int check_start(struct request *r, const struct page *page, const struct value *start)
{
    const struct key_schema *schemas[2] = {&page->table->keys, page->keys};
    size_t expected = 0;
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < schemas[i]->count; j++) {
            const struct key_part *part = &schemas[i]->parts[j];
            const struct value *value = value_member(start, part->name);
            if (i && key_schema_has(schemas[0], part->name))
                continue;
            expected++;
            if (!value || value->type != part->type ||
                (value->type != VALUE_N && !value->bytes.size))
                return wrong_start(r,
                                   "invalid: The provided key element does not match the schema");
        }
    if (start->map.count != expected)
        return wrong_start(r, "invalid: The provided key element does not match the schema");
    return 0;
}

static int compare_keys(const struct key *a, const struct key *b)
{
    size_t common = a->size < b->size ? a->size : b->size;
    int order = common ? memcmp(a->data, b->data, common) : 0;
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* Go on behind ExclusiveStartKey: the range begins (or, backward, ends) there. */
static int apply_start(struct request *r, struct page *page, int is_query)
{
    const json_t *json;
    struct value start;
    struct key key;
    if (param_object(r, "ExclusiveStartKey", &json) < 0)
        return -1;
    if (!json)
        return 0;
    if (item_from_json(json, &start, r->arena, &r->err) < 0 || check_start(r, page, &start) < 0)
        return -1;
    int made = page->index
                   ? table_index_key(page->table, page->index, &start, &key, r->arena, &r->err)
                   : table_key(page->table, &start, &key, r->arena, &r->err);
    if (made < 0)
        return -1;
    if (compare_keys(&key, &page->low) < 0 ||
        (page->high.size && compare_keys(&key, &page->high) >= 0))
        return is_query ? wrong_start(r, "outside query boundaries based on provided conditions")
                        : wrong_start(r, "invalid: Invalid ExclusiveStartKey. Please use "
                                         "ExclusiveStartKey with correct Segment.");
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

/* What a KeyConditionExpression says of one key attribute. */
struct key_condition {
    enum node_type type;
    const struct value *values[2];
};

#define KEY_CONDITION "KeyConditionExpression"

static int refuse_condition(struct request *r, const char *format, const char *what)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s", format, what);
    return err_set(&r->err, ERR_INVALID, "%s", text);
}

static const char *refused_operator(enum node_type type)
{
    switch (type) {
    case NODE_OR:
        return "OR";
    case NODE_NOT:
        return "NOT";
    case NODE_IN:
        return "IN";
    case NODE_NE:
        return "<>";
    case NODE_ATTRIBUTE_EXISTS:
        return "attribute_exists";
    case NODE_ATTRIBUTE_NOT_EXISTS:
        return "attribute_not_exists";
    case NODE_ATTRIBUTE_TYPE:
        return "attribute_type";
    case NODE_CONTAINS:
        return "contains";
    default:
        return NULL;
    }
}

static enum node_type mirrored(enum node_type type)
{
    return type == NODE_LT   ? NODE_GT
           : type == NODE_LE ? NODE_GE
           : type == NODE_GT ? NODE_LT
           : type == NODE_GE ? NODE_LE
                             : type;
}

/* `attribute OP value`, either way round, to the name and the condition. */
static int read_predicate(struct request *r, const struct node *node, const char **name,
                          struct key_condition *out)
{
    *out = (struct key_condition){.type = node->type};
    *name = NULL;
    for (size_t i = 0, values = 0; i < node->count; i++) {
        const struct node *arg = node->args[i];
        if (arg->type == NODE_SIZE)
            return err_set(&r->err, ERR_INVALID,
                           KEY_CONDITION "s cannot contain nested operations");
        if (arg->type == NODE_VALUE) {
            if (values < 2)
                out->values[values++] = arg->value;
            continue;
        }
        if (*name)
            return err_set(&r->err, ERR_INVALID,
                           "Invalid condition in " KEY_CONDITION
                           ": Multiple attribute names used in one condition");
        if (arg->path.count > 1)
            return err_set(&r->err, ERR_INVALID,
                           KEY_CONDITION "s cannot have conditions on nested attributes");
        *name = arg->path.steps[0].name;
        if (i && (node->type == NODE_BETWEEN || node->type == NODE_BEGINS_WITH))
            return refuse_condition(r, "Invalid condition in " KEY_CONDITION ": ",
                                    node->type == NODE_BETWEEN
                                        ? "BETWEEN operator must have the key attribute as its "
                                          "first operand"
                                        : "begins_with operator must have the key attribute as its "
                                          "first operand");
        if (i)
            out->type = mirrored(node->type);
    }
    if (!*name)
        return err_set(&r->err, ERR_INVALID,
                       "Invalid condition in " KEY_CONDITION ": No key attribute specified");
    return 0;
}

struct key_conditions {
    const char *names[2];
    struct key_condition conditions[2];
    size_t count;
};

static int collect(struct request *r, const struct node *node, struct key_conditions *out)
{
    const char *refused = refused_operator(node->type), *name;
    struct key_condition condition;
    if (node->type == NODE_AND)
        return collect(r, node->args[0], out) < 0 ? -1 : collect(r, node->args[1], out);
    if (refused)
        return refuse_condition(r, "Invalid operator used in " KEY_CONDITION ": ", refused);
    if (read_predicate(r, node, &name, &condition) < 0)
        return -1;
    for (size_t i = 0; i < out->count; i++)
        if (!strcmp(out->names[i], name))
            return err_set(&r->err, ERR_INVALID,
                           KEY_CONDITION "s must only contain one condition per key");
    if (out->count == 2)
        return err_set(&r->err, ERR_INVALID, "Conditions can be of length 1 or 2 only");
    out->names[out->count] = name;
    out->conditions[out->count++] = condition;
    return 0;
}

static const struct key_condition *condition_on(const struct key_conditions *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++)
        if (!strcmp(all->names[i], name))
            return &all->conditions[i];
    return NULL;
}

static int check_condition(struct request *r, const struct key_part *part,
                           const struct key_condition *condition)
{
    for (size_t i = 0; i < 2 && condition->values[i]; i++) {
        if (condition->values[i]->type != part->type)
            return err_set(&r->err, ERR_INVALID,
                           "One or more parameter values were invalid: Condition parameter type "
                           "does not match schema type");
        if (part->type != VALUE_N && !condition->values[i]->bytes.size)
            return err_set(&r->err, ERR_INVALID,
                           "One or more parameter values are not valid. The AttributeValue for a "
                           "key attribute cannot contain an empty %s value. Key: %s",
                           part->type == VALUE_S ? "string" : "binary", part->name);
    }
    if (condition->type == NODE_BEGINS_WITH && part->type == VALUE_N)
        return err_set(&r->err, ERR_INVALID, "Invalid operator used for key of type N");
    return 0;
}

/* The range of keys that hash and (where given) range condition leave. */
static int set_range(struct request *r, struct page *page, const struct value *hash,
                     const struct key_condition *range)
{
    struct key all, end, a, b;
    if (key_prefix(hash, NULL, 1, &all, r->arena, &r->err) < 0 ||
        key_after(&all, &end, r->arena, &r->err) < 0)
        return -1;
    page->low = all;
    page->high = end;
    if (!range)
        return 0;
    const struct value *last = range->values[range->type == NODE_BETWEEN];
    int whole = range->type != NODE_BEGINS_WITH;
    if (key_prefix(hash, range->values[0], whole, &a, r->arena, &r->err) < 0 ||
        key_prefix(hash, last, whole, &b, r->arena, &r->err) < 0 ||
        key_after(&b, &end, r->arena, &r->err) < 0)
        return -1;
    switch (range->type) {
    case NODE_LT:
        page->high = a;
        break;
    case NODE_LE:
        page->high = end;
        break;
    case NODE_GT:
        page->low = end;
        break;
    case NODE_GE:
        page->low = a;
        break;
    default: /* =, BETWEEN, begins_with */
        page->low = a;
        page->high = end;
    }
    return 0;
}

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

static int set_query_range(struct request *r, struct page *page)
{
    struct key_conditions all = {0};
    if (collect(r, page->expressions.key_condition, &all) < 0)
        return -1;
    const struct key_part *hash = &page->keys->parts[0], *range = &page->keys->parts[1];
    const struct key_condition *on_hash = condition_on(&all, hash->name), *on_range = NULL;
    if (page->keys->count > 1)
        on_range = condition_on(&all, range->name);
    if (!on_hash)
        return err_set(&r->err, ERR_INVALID, "Query condition missed key schema element: %s",
                       hash->name);
    if (all.count == 2 && !on_range)
        return page->keys->count > 1
                   ? err_set(&r->err, ERR_INVALID, "Query condition missed key schema element: %s",
                             range->name)
                   : err_set(&r->err, ERR_INVALID, "Query key condition not supported");
    if (on_hash->type != NODE_EQ)
        return err_set(&r->err, ERR_INVALID, "Query key condition not supported");
    if (check_condition(r, hash, on_hash) < 0 ||
        (on_range && check_condition(r, range, on_range) < 0))
        return -1;
    return set_range(r, page, on_hash->values[0], on_range);
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

static int check_page(struct request *r, struct page *page)
{
    if (find_index(r, page) < 0 || expressions_check_keys(r, page->table, &page->expressions) < 0)
        return -1;
    return check_projected(r, page);
}

static int run_query(struct request *r, struct page *page)
{
    if (check_page(r, page) < 0 || set_query_range(r, page) < 0 ||
        check_filter(r, page, page->expressions.filter) < 0 || apply_start(r, page, 1) < 0)
        return -1;
    return answer(r, page);
}

int query(struct request *r)
{
    struct page page = {0};
    const char *name;
    int forward;
    if (param_table_name(r, NULL, &name) < 0 ||
        read_common(r, &page, USES_KEY_CONDITION | USES_FILTER | USES_PROJECTION) < 0 ||
        param_flag(r, "ScanIndexForward", &forward) < 0)
        return -1;
    page.backward = json_is_false(json_object_get(r->body, "ScanIndexForward"));
    if (!page.expressions.key_condition)
        return err_set(&r->err, ERR_INVALID,
                       "Either the KeyConditions or KeyConditionExpression parameter must be "
                       "specified in the request.");
    struct table *table = request_find_table(r, name);
    if (!table)
        return -1;
    page.table = table;
    int result = run_query(r, &page);
    table_release(table);
    return result;
}

static struct key segment_key(struct request *r, uint64_t segment, uint64_t total)
{
    uint64_t first = ((segment << 32) + total - 1) / total;
    unsigned char *data = arena_alloc(r->arena, 4, 1);
    if (!data || first >> 32)
        return (struct key){NULL, 0};
    for (int i = 0; i < 4; i++)
        data[i] = (unsigned char)(first >> (24 - 8 * i));
    return (struct key){data, 4};
}

static int set_segment(struct request *r, struct page *page)
{
    int64_t segment = 0, total = 1;
    int has_segment, has_total;
    if (param_integer(r, "Segment", &segment, &has_segment) < 0 ||
        param_integer(r, "TotalSegments", &total, &has_total) < 0)
        return -1;
    if (has_segment && !has_total)
        return err_set(&r->err, ERR_INVALID,
                       "The TotalSegments parameter is required but was not present in the request "
                       "when Segment parameter is present");
    if (has_total && !has_segment)
        return err_set(&r->err, ERR_INVALID,
                       "The Segment parameter is required but was not present in the request when "
                       "parameter TotalSegments is present");
    if (!has_total)
        return 0;
    char value[32];
    snprintf(value, sizeof value, "%lld", (long long)(segment < 0 ? segment : total));
    if (segment < 0)
        return fail_constraint(r, value, "Segment",
                               "Member must have value greater than or equal to 0");
    if (total < 1 || total > MAX_SEGMENTS)
        return fail_constraint(r, value, "TotalSegments",
                               total < 1 ? "Member must have value greater than or equal to 1"
                                         : "Member must have value less than or equal to 1000000");
    if (segment >= total)
        return err_set(&r->err, ERR_INVALID,
                       "The Segment parameter is zero-based and must be less than parameter "
                       "TotalSegments: Segment: %lld is not less than TotalSegments: %lld",
                       (long long)segment, (long long)total);
    page->low = segment_key(r, (uint64_t)segment, (uint64_t)total);
    page->high = segment_key(r, (uint64_t)segment + 1, (uint64_t)total);
    return 0;
}

int scan(struct request *r)
{
    struct page page = {0};
    const char *name;
    if (param_table_name(r, NULL, &name) < 0 ||
        read_common(r, &page, USES_FILTER | USES_PROJECTION) < 0 || set_segment(r, &page) < 0)
        return -1;
    struct table *table = request_find_table(r, name);
    if (!table)
        return -1;
    page.table = table;
    int result = check_page(r, &page);
    if (result == 0)
        result = apply_start(r, &page, 0);
    if (result == 0)
        result = answer(r, &page);
    table_release(table);
    return result;
}
