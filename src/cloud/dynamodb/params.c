#include "cloud/dynamodb/legacy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static int wrong_type(struct request *r, const char *message)
{
    return err_set(&r->err, ERR_CORRUPT, "%s", message);
}

static const json_t *get(struct request *r, const char *name)
{
    const json_t *json = json_object_get(r->body, name);
    return json_is_null(json) ? NULL : json;
}

int param_string(struct request *r, const char *name, const char **out)
{
    const json_t *json = get(r, name);
    *out = json_string_value(json);
    if (!json || *out)
        return 0;
    return wrong_type(r, json_is_object(json) || json_is_array(json)
                             ? "Unrecognized collection type class java.lang.String"
                         : json_is_true(json)  ? "TRUE_VALUE cannot be converted to String"
                         : json_is_false(json) ? "FALSE_VALUE cannot be converted to String"
                                               : "NUMBER_VALUE cannot be converted to String");
}

int param_integer(struct request *r, const char *name, int64_t *out, int *present)
{
    const json_t *json = get(r, name);
    *present = json != NULL;
    if (!json)
        return 0;
    if (!json_is_number(json))
        return wrong_type(r, json_is_string(json) ? "STRING_VALUE cannot be converted to Integer"
                                                  : "Unexpected value type in payload");
    double value = json_number_value(json);
    *out = value > 2147483647.0    ? 2147483647
           : value < -2147483648.0 ? -2147483648LL
                                   : (int64_t)value;
    return 0;
}

int param_flag(struct request *r, const char *name, int *out)
{
    const json_t *json = get(r, name);
    *out = json_is_true(json);
    return !json || json_is_boolean(json) ? 0
                                          : wrong_type(r, "Unexpected token received from parser");
}

int param_object(struct request *r, const char *name, const json_t **out)
{
    *out = get(r, name);
    return !*out || json_is_object(*out) ? 0 : wrong_type(r, "Unexpected field type");
}

int param_array(struct request *r, const char *name, const json_t **out)
{
    *out = get(r, name);
    return !*out || json_is_array(*out)
               ? 0
               : wrong_type(r, json_is_object(*out)
                                   ? "Start of structure or map found where not expected"
                                   : "Unexpected field type");
}

int fail_constraint(struct request *r, const char *value, const char *name, const char *constraint)
{
    char member[64];
    snprintf(member, sizeof member, "%s", name);
    member[0] = (char)tolower((unsigned char)member[0]);
    if (!value)
        return err_set(&r->err, ERR_INVALID,
                       "1 validation error detected: Value null at '%s' failed to satisfy "
                       "constraint: %s",
                       member, constraint);
    return err_set(&r->err, ERR_INVALID,
                   "1 validation error detected: Value '%.255s' at '%s' failed to satisfy "
                   "constraint: %s",
                   value, member, constraint);
}

int param_choice(struct request *r, const char *name, const char *const *values, int *out)
{
    const char *given;
    *out = 0;
    if (param_string(r, name, &given) < 0)
        return -1;
    if (!given)
        return 0;
    struct buf set;
    buf_init(&set, 1024);
    buf_puts(&set, "Member must satisfy enum value set: [");
    for (int i = 0; values[i]; i++) {
        if (!strcmp(values[i], given)) {
            *out = i;
            buf_finish(&set);
            return 0;
        }
        buf_printf(&set, "%s%s", i ? ", " : "", values[i]);
    }
    buf_puts(&set, "]");
    fail_constraint(r, given, name, set.data ? set.data : "");
    buf_finish(&set);
    return -1;
}

int param_item(struct request *r, const char *name, struct value *out)
{
    const json_t *json;
    if (param_object(r, name, &json) < 0)
        return -1;
    if (!json)
        return fail_constraint(r, NULL, name, "Member must not be null");
    return request_read_item(r, json, out);
}

int request_read_item(struct request *r, const json_t *json, struct value *out)
{
    return item_check_names(json, &r->err) < 0 ? -1
                                               : item_read(json, out, r->layer, r->arena, &r->err);
}

int request_own(struct request *r, json_t *json)
{
    struct owned_json *owned = arena_new(r->arena, struct owned_json, 1);
    if (!owned) {
        json_decref(json);
        return err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    }
    *owned = (struct owned_json){json, r->owned};
    r->owned = owned;
    return 0;
}

void request_release_owned(struct request *r)
{
    for (; r->owned; r->owned = r->owned->next)
        json_decref(r->owned->json);
}

int param_table_name(struct request *r, const json_t *json, const char **out)
{
    *out = json_string_value(json_object_get(json ? json : r->body, "TableName"));
    return *out ? 0 : fail_constraint(r, NULL, "TableName", "Member must not be null");
}

static int parse_one(struct request *r, const json_t *from, const char *kind,
                     struct substitutions *s, struct node **out)
{
    const json_t *text = json_object_get(from, kind);
    if (!text || json_is_null(text))
        return 0;
    if (!json_is_string(text))
        return wrong_type(r, "Unexpected field type");
    *out = condition_parse(s, kind, json_string_value(text), &r->err);
    return *out ? 0 : -1;
}

static const struct use {
    unsigned flag;
    const char *name;
} uses_by_name[] = {
    {USES_UPDATE, "UpdateExpression"},
    {USES_CONDITION, "ConditionExpression"},
    {USES_PROJECTION, "ProjectionExpression"},
    {USES_FILTER, "FilterExpression"},
    {USES_KEY_CONDITION, "KeyConditionExpression"},
};
enum { USES = sizeof uses_by_name / sizeof *uses_by_name };

/* Names and values without an expression that could use them are an error of their own. */
static int check_needed(struct request *r, const json_t *from, unsigned uses)
{
    unsigned given = 0;
    char list[128] = "";
    int listed = 0;
    for (size_t i = 0; i < USES; i++) {
        const struct use *use = &uses_by_name[i];
        if (!(uses & use->flag))
            continue;
        if (json_is_string(json_object_get(from, use->name)))
            given |= use->flag;
        if (use->flag == USES_PROJECTION)
            continue;
        size_t at = strlen(list);
        snprintf(list + at, sizeof list - at, "%s%s", listed++ ? " and " : "", use->name);
    }
    if (json_is_object(json_object_get(from, "ExpressionAttributeNames")) && !given)
        return err_set(&r->err, ERR_INVALID,
                       "ExpressionAttributeNames can only be specified when using expressions");
    if (!json_is_object(json_object_get(from, "ExpressionAttributeValues")) ||
        (given & ~(unsigned)USES_PROJECTION))
        return 0;
    if ((uses & USES_CONDITION) && r->layer == VALUE_CURRENT)
        list[0] = 0;
    return err_set(&r->err, ERR_INVALID,
                   "ExpressionAttributeValues can only be specified when using expressions%s%s%s",
                   *list ? ": " : "", list,
                   !*list       ? ""
                   : listed > 1 ? " are null"
                                : " is null");
}

static const json_t *object_or_null(const json_t *from, const char *name)
{
    const json_t *json = json_object_get(from, name);
    return json_is_null(json) ? NULL : json;
}

int expressions_begin(struct request *r, const json_t *from, unsigned uses, struct expressions *out)
{
    *out = (struct expressions){0};
    return legacy_check_mixed(r, from, uses) < 0 || check_needed(r, from, uses) < 0
               ? -1
               : legacy_parse(r, from, uses, out);
}

int expressions_parse(struct request *r, const json_t *from, unsigned uses, struct expressions *out)
{
    return expressions_begin(r, from, uses, out) < 0 ? -1 : expressions_finish(r, from, uses, out);
}

int expressions_finish(struct request *r, const json_t *from, unsigned uses,
                       struct expressions *out)
{
    struct substitutions *s = &out->substitutions;
    if (substitutions_init(s, object_or_null(from, "ExpressionAttributeNames"),
                           object_or_null(from, "ExpressionAttributeValues"), r->layer, r->arena,
                           &r->err) < 0)
        return -1;
    const json_t *update = json_object_get(from, "UpdateExpression");
    const json_t *projection = json_object_get(from, "ProjectionExpression");
    if ((uses & USES_UPDATE) && json_is_string(update)) {
        out->has_update = 1;
        if (update_parse(s, json_string_value(update), &out->update, &r->err) < 0)
            return -1;
    }
    if ((uses & USES_CONDITION) &&
        parse_one(r, from, "ConditionExpression", s, &out->condition) < 0)
        return -1;
    if ((uses & USES_KEY_CONDITION) &&
        parse_one(r, from, "KeyConditionExpression", s, &out->key_condition) < 0)
        return -1;
    if ((uses & USES_FILTER) && parse_one(r, from, "FilterExpression", s, &out->filter) < 0)
        return -1;
    if ((uses & USES_PROJECTION) && json_is_string(projection)) {
        out->has_projection = 1;
        if (projection_parse(s, json_string_value(projection), &out->projection, &r->err) < 0)
            return -1;
    }
    return substitutions_check_used(s, &r->err);
}

void write_member(struct request *r, int *first, const char *name)
{
    buf_printf(&r->out, "%s\"%s\":", *first ? "" : ",", name);
    *first = 0;
}

static int check_path(struct request *r, const struct table *table, const struct path *path)
{
    const char *name = path->steps[0].name, *kind = NULL;
    if (path->count < 2)
        return 0;
    if (key_schema_has(&table->keys, name))
        kind = "Key";
    for (size_t i = 0; !kind && i < table->index_count; i++)
        if (key_schema_has(&table->indexes[i].keys, name))
            kind = "IndexKey";
    if (!kind)
        return 0;
    return err_set(&r->err, ERR_INVALID,
                   "Key attributes must be scalars; list random access '[]' and map lookup '.' are "
                   "not allowed: %s: %s",
                   kind, name);
}

static int check_node(struct request *r, const struct table *table, const struct node *node)
{
    if (!node)
        return 0;
    if (node->type == NODE_PATH)
        return check_path(r, table, &node->path);
    for (size_t i = 0; i < node->count; i++)
        if (check_node(r, table, node->args[i]) < 0)
            return -1;
    return 0;
}

int expressions_check_keys(struct request *r, const struct table *table,
                           const struct expressions *expressions)
{
    for (size_t i = 0; i < expressions->projection.count; i++)
        if (check_path(r, table, &expressions->projection.paths[i]) < 0)
            return -1;
    for (size_t i = 0; i < expressions->update.count; i++)
        if (check_path(r, table, &expressions->update.actions[i].path) < 0 ||
            check_node(r, table, expressions->update.actions[i].operand) < 0)
            return -1;
    return check_node(r, table, expressions->condition) < 0
               ? -1
               : check_node(r, table, expressions->filter);
}
