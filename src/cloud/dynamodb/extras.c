#include "cloud/dynamodb/request.h"
#include "cloud/dynamodb/shape.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Tags, and what tools ask about a table besides. */

enum { MAX_TAGS = 50 };

int describe_limits(struct request *r)
{
    if (request_authorize(r, NULL, NULL, NULL) < 0)
        return -1;
    return buf_puts(&r->out,
                    "{\"AccountMaxReadCapacityUnits\":80000,\"AccountMaxWriteCapacityUnits\":80000,"
                    "\"TableMaxReadCapacityUnits\":40000,\"TableMaxWriteCapacityUnits\":40000}");
}

int describe_endpoints(struct request *r)
{
    const char *host = exchange_header(r->exchange, "Host");
    if (request_authorize(r, NULL, NULL, NULL) < 0)
        return -1;
    /* A client that discovers endpoints goes on there: it has found this one. */
    buf_puts(&r->out, "{\"Endpoints\":[{\"Address\":");
    json_write_string(&r->out, host ? host : "", host ? strlen(host) : 0);
    return buf_puts(&r->out, ",\"CachePeriodInMinutes\":1440}]}");
}

int describe_continuous_backups(struct request *r)
{
    struct table *table = request_table(r);
    if (!table) {
        if (r->err.code == ERR_NOT_FOUND)
            r->error_type = "TableNotFoundException";
        return -1;
    }
    table_release(table);
    return buf_puts(&r->out,
                    "{\"ContinuousBackupsDescription\":{\"ContinuousBackupsStatus\":\"DISABLED\","
                    "\"PointInTimeRecoveryDescription\":{\"PointInTimeRecoveryStatus\":"
                    "\"DISABLED\"}}}");
}

/* "a:b:c:d:e:f/g" in form. */
static int is_arn(const char *text)
{
    int parts = 0;
    for (; parts < 5; parts++) {
        const char *end = strchr(text, ':');
        if (!end || end == text)
            return 0;
        text = end + 1;
    }
    const char *slash = strrchr(text, '/');
    return slash && slash > text && slash[1];
}

/* "arn:aws:dynamodb:REGION:ACCOUNT:table/NAME" */
static int is_table_arn(const char *arn)
{
    const char *name = strstr(arn, ":table/");
    return !strncmp(arn, "arn:aws:dynamodb:", 17) && name && strlen(name + 7) >= 3 &&
           !strchr(name + 7, '/');
}

static int deny_tags(struct request *r, const char *arn)
{
    const char *who = r->exchange->identity.arn;
    r->error_type = "com.amazon.coral.service#AccessDeniedException";
    return err_set(&r->err, ERR_DENIED,
                   "User: %.100s is not authorized to perform: %s on resource: %.255s",
                   who ? who : "anonymous", r->action, *arn ? arn : "*");
}

/* ResourceArn and the list beside it (`list` NULL: none), in AWS's order. */
static int check_tag_request(struct request *r, const char *list, const char *when_empty)
{
    const char *arn = json_string_value(json_object_get(r->body, "ResourceArn"));
    const json_t *given = list ? json_object_get(r->body, list) : NULL;
    if (!arn)
        return err_set(&r->err, ERR_INVALID, "Invalid TableArn");
    if (strncmp(arn, "arn:", 4))
        return err_set(&r->err, ERR_INVALID, "ARNs must start with 'arn:': %.255s", arn);
    if (!is_arn(arn))
        return deny_tags(r, arn);
    if (list && !json_is_array(given))
        return fail_constraint(r, NULL, list, "Member must not be null");
    if (!is_table_arn(arn))
        return err_set(&r->err, ERR_INVALID,
                       "Invalid TableArn: Invalid ResourceArn provided as input %.255s", arn);
    return list && !json_array_size(given) ? err_set(&r->err, ERR_INVALID, "%s", when_empty) : 0;
}

static struct table *tagged_table(struct request *r)
{
    const char *arn = json_string_value(json_object_get(r->body, "ResourceArn"));
    struct table *table = request_find_table(r, arn);
    if (!table && r->err.code == ERR_NOT_FOUND && strcmp(r->operation, "UntagResource"))
        err_set(&r->err, ERR_NOT_FOUND,
                "Requested resource not found: ResourcArn: %.255s not found", arn);
    return table;
}

struct tags_job {
    struct request *request;
    struct table *table;
    json_t *tags; /* now stored */
};

static int read_tags(struct connection *connection, struct tags_job *job, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(connection, "SELECT tags FROM tables WHERE id = ?1", err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, job->table->id);
    if (sqlite3_step(s) == SQLITE_ROW)
        job->tags = json_loads((const char *)sqlite3_column_text(s, 0), 0, NULL);
    connection_reset(s);
    return job->tags ? 0 : err_set(err, ERR_NOT_FOUND, "Requested resource not found");
}

static void remove_tag(json_t *tags, const char *key)
{
    for (size_t i = json_array_size(tags); i-- > 0;) {
        const char *own = json_string_value(json_object_get(json_array_get(tags, i), "Key"));
        if (own && key && !strcmp(own, key))
            json_array_remove(tags, i);
    }
}

/* Tags of the request go in, TagKeys of it go out. */
static int run_tags(struct connection *connection, void *context, struct err *err)
{
    struct tags_job *job = context;
    size_t i;
    json_t *tag;
    if (read_tags(connection, job, err) < 0)
        return -1;
    json_array_foreach(json_object_get(job->request->body, "TagKeys"), i, tag)
    {
        remove_tag(job->tags, json_string_value(tag));
    }
    json_array_foreach(json_object_get(job->request->body, "Tags"), i, tag)
    {
        remove_tag(job->tags, json_string_value(json_object_get(tag, "Key")));
        json_array_append(job->tags, tag);
    }
    if (json_array_size(job->tags) > MAX_TAGS)
        return err_set(err, ERR_INVALID, "Tag limit exceeded: %d", MAX_TAGS);
    return store_json(connection, "UPDATE tables SET tags = ?2 WHERE id = ?1", job->table->id,
                      job->tags, err);
}

/* Letters, digits, spaces and a few signs; letters beyond ASCII are not looked at. */
static int is_tag_text(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr(" +-=._:/@", *text) &&
            (unsigned char)*text < 0x80)
            return 0;
    return 1;
}

int tags_check(struct request *r)
{
    size_t i;
    json_t *tag;
    const json_t *tags = json_object_get(r->body, "Tags");
    if (json_array_size(tags) > MAX_TAGS)
        return err_set(&r->err, ERR_INVALID, "Too many tags: a table has at most %d", MAX_TAGS);
    json_array_foreach(tags, i, tag)
    {
        const char *key = json_string_value(json_object_get(tag, "Key"));
        const char *value = json_string_value(json_object_get(tag, "Value"));
        if (!strncasecmp(key, "aws:", 4))
            return err_set(&r->err, ERR_INVALID,
                           "One or more parameter values were invalid: The tag key %.128s begins "
                           "with aws:, which is reserved",
                           key);
        if (!is_tag_text(key) || !is_tag_text(value))
            return err_set(&r->err, ERR_INVALID,
                           "One or more parameter values were invalid: The tag %.128s has letters "
                           "that are not allowed",
                           key);
    }
    return 0;
}

static int change_tags(struct request *r, const char *list, const char *when_empty)
{
    if (check_tag_request(r, list, when_empty) < 0 || tags_check(r) < 0)
        return -1;
    struct table *table = tagged_table(r);
    if (!table)
        return -1;
    struct tags_job job = {.request = r, .table = table};
    int result = database_write(r->service->database, run_tags, &job, &r->err);
    json_decref(job.tags);
    table_release(table);
    return result;
}

int tag_resource(struct request *r)
{
    return change_tags(r, "Tags", "Atleast one Tag needs to be provided as Input.");
}

int untag_resource(struct request *r)
{
    return change_tags(r, "TagKeys", "Atleast one Tag Key needs to be provided as Input.");
}

/* All tags fit one page: no answer gives a token. */
static int check_no_token(struct request *r)
{
    return shape_is_present(json_object_get(r->body, "NextToken"))
               ? err_set(&r->err, ERR_INVALID, "The NextToken is not one of this list")
               : 0;
}

int list_tags_of_resource(struct request *r)
{
    struct table *table =
        check_tag_request(r, NULL, NULL) < 0 || check_no_token(r) < 0 ? NULL : tagged_table(r);
    if (!table)
        return -1;
    struct tags_job job = {.request = r, .table = table};
    struct connection *connection = database_read_begin(r->service->database, &r->err);
    int result = connection ? read_tags(connection, &job, &r->err) : -1;
    database_read_end(r->service->database, connection);
    table_release(table);
    if (result < 0)
        return -1;
    char *text = json_dumps(job.tags, JSON_COMPACT);
    result = buf_printf(&r->out, "{\"Tags\":%s}", text ? text : "[]");
    free(text);
    json_decref(job.tags);
    return result;
}
