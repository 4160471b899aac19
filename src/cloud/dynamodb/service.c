#include "cloud/dynamodb/service.h"

#include "base/clock.h"
#include "base/log.h"
#include "cloud/dynamodb/request.h"
#include "cloud/dynamodb/shape.h"
#include "cloud/dynamodb/worker.h"
#include "cloud/inflate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <zlib.h>

/* DynamoDB over HTTP: JSON 1.0, the operation in X-Amz-Target, a CRC-32 of the answer beside it. */

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS tables(id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "name TEXT NOT NULL UNIQUE, definition TEXT NOT NULL, tags TEXT NOT NULL, "
    "items INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS tokens(token TEXT PRIMARY KEY, digest BLOB NOT NULL, "
    "at INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS tokens_at ON tokens(at);";

static const struct operation {
    const char *action; /* to be allowed */
    operation_run *run;
    enum value_layer layer;
    int enveloped; /* what is wrong with the request itself is a "validation error" by its text */
} operations[] = {
    {"dynamodb:BatchGetItem", batch_get_item, VALUE_CURRENT},
    {"dynamodb:BatchWriteItem", batch_write_item},
    {"dynamodb:CreateTable", create_table},
    {"dynamodb:DeleteItem", delete_item, VALUE_CURRENT, 1},
    {"dynamodb:DeleteTable", delete_table},
    {"dynamodb:DescribeContinuousBackups", describe_continuous_backups},
    {"dynamodb:DescribeEndpoints", describe_endpoints},
    {"dynamodb:DescribeLimits", describe_limits},
    {"dynamodb:DescribeTable", describe_table},
    {"dynamodb:DescribeTimeToLive", describe_time_to_live},
    {"dynamodb:GetItem", get_item, VALUE_CURRENT},
    {"dynamodb:ListTables", list_tables},
    {"dynamodb:ListTagsOfResource", list_tags_of_resource},
    {"dynamodb:PutItem", put_item, VALUE_CURRENT, 1},
    {"dynamodb:Query", query, VALUE_CURRENT},
    {"dynamodb:Scan", scan},
    {"dynamodb:TagResource", tag_resource},
    {"dynamodb:TransactGetItems", transact_get_items},
    {"dynamodb:TransactWriteItems", transact_write_items},
    {"dynamodb:UntagResource", untag_resource},
    {"dynamodb:UpdateItem", update_item, VALUE_CURRENT, 1},
    {"dynamodb:UpdateTable", update_table},
    {"dynamodb:UpdateTimeToLive", update_time_to_live},
};

/* In AWS's service model, and not here. */
static const char *const unserved[] = {
    "BatchExecuteStatement",
    "CreateBackup",
    "CreateGlobalTable",
    "DeleteBackup",
    "DeleteResourcePolicy",
    "DescribeBackup",
    "DescribeContributorInsights",
    "DescribeExport",
    "DescribeGlobalTable",
    "DescribeGlobalTableSettings",
    "DescribeImport",
    "DescribeKinesisStreamingDestination",
    "DescribeTableReplicaAutoScaling",
    "DisableKinesisStreamingDestination",
    "EnableKinesisStreamingDestination",
    "ExecuteStatement",
    "ExecuteTransaction",
    "ExportTableToPointInTime",
    "GetResourcePolicy",
    "ImportTable",
    "ListBackups",
    "ListContributorInsights",
    "ListExports",
    "ListGlobalTables",
    "ListImports",
    "PutResourcePolicy",
    "RestoreTableFromBackup",
    "RestoreTableToPointInTime",
    "UpdateContinuousBackups",
    "UpdateContributorInsights",
    "UpdateGlobalTable",
    "UpdateGlobalTableSettings",
    "UpdateKinesisStreamingDestination",
    "UpdateTableReplicaAutoScaling",
};

enum {
    ACTION_PREFIX = sizeof "dynamodb:" - 1,
    MAX_BODY_BYTES = 16 * 1024 * 1024, /* also of one that was compressed; the front takes more,
                                        * so that a client hears why not */
    QUICK_BODY_BYTES = 64 * 1024
};

static const char content_type[] = "application/x-amz-json-1.0";
static const char target_prefix[] = "DynamoDB_20120810.";

/* The name of the operation that is asked for; NULL when that is nothing of DynamoDB. */
static const char *operation_name(const struct exchange *x)
{
    const char *target = exchange_header(x, "X-Amz-Target");
    if (!target || strncmp(target, target_prefix, sizeof target_prefix - 1))
        return NULL;
    return target + sizeof target_prefix - 1;
}

static const struct operation *find_operation(const char *name)
{
    for (size_t i = 0; name && i < sizeof operations / sizeof *operations; i++)
        if (!strcmp(operations[i].action + ACTION_PREFIX, name))
            return &operations[i];
    return NULL;
}

static void respond(struct exchange *x, int status, const char *data, size_t size)
{
    char crc[16];
    snprintf(crc, sizeof crc, "%lu", crc32(0, (const unsigned char *)data, (unsigned)size));
    exchange_reply_header(x, "x-amz-crc32", crc);
    exchange_respond(x, status, content_type, data ? data : "", size);
}

/* `message` NULL: AWS gives none. */
static void respond_error(struct exchange *x, int status, const char *type, const char *message,
                          const char *extra)
{
    int capital = strstr(type, "SerializationException") || strstr(type, "AccessDenied");
    struct buf out;
    buf_init(&out, REQUEST_MAX_OUT_BYTES);
    buf_printf(&out, "{\"__type\":\"%s\"", type);
    if (message) {
        buf_puts(&out, capital ? ",\"Message\":" : ",\"message\":");
        json_write_string(&out, message, strlen(message));
    }
    buf_printf(&out, "%s}", extra ? extra : "");
    respond(x, status, out.data, out.size);
    buf_finish(&out);
}

#define DYNAMODB "com.amazonaws.dynamodb.v20120810#"

static const struct failure {
    enum err_code code;
    const char *type;
} failures[] = {
    {ERR_INVALID, "com.amazon.coral.validate#ValidationException"},
    {ERR_TOO_BIG, "com.amazon.coral.validate#ValidationException"},
    {ERR_CORRUPT, "com.amazon.coral.service#SerializationException"},
    {ERR_NOT_FOUND, DYNAMODB "ResourceNotFoundException"},
    {ERR_EXISTS, DYNAMODB "ResourceInUseException"},
    {ERR_DENIED, DYNAMODB "ConditionalCheckFailedException"},
};

static void fail(struct exchange *x, const struct request *r)
{
    const char *type = NULL, *message = r->message ? r->message : r->err.message;
    char named[128];
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (failures[i].code == r->err.code)
            type = failures[i].type;
    int status = type || r->error_type ? 400 : 500;
    if (r->error_type) {
        snprintf(named, sizeof named, "%s%s", strchr(r->error_type, '#') ? "" : DYNAMODB,
                 r->error_type);
        type = named;
    } else if (!type) {
        log_line(LOG_ERROR, "dynamodb: %s", r->err.message);
        type = DYNAMODB "InternalServerError";
        message = "Internal server error";
    }
    respond_error(x, status, type, message, r->error_extra);
}

static void put_into_envelope(struct request *r)
{
    const char *message = r->message ? r->message : r->err.message;
    if (r->err.code != ERR_INVALID || r->looked_up || r->error_type ||
        strstr(message, " detected: ") || strstr(message, "arameter is not supported by ken"))
        return;
    r->message = arena_printf(r->arena, "1 validation error detected: %s", message);
}

/* A wrong JSON type inside an attribute value comes before every other complaint. */
static void prefer_types(struct request *r, const struct shape *shape)
{
    struct err err = {0};
    if (r->err.code == ERR_DENIED || shape_check_values(shape, r->body, &err) == 0)
        return;
    r->err = err;
    r->message = r->error_type = r->error_extra = NULL;
}

enum { MAX_ATTEMPTS = 1000, ATTEMPT_DELAY_NS = 1000000 };

/* Once more where a table changed between reading its definition and writing to it. */
static int run_operation(struct request *r, const struct operation *operation)
{
    int result = -1;
    for (int i = 0; i < MAX_ATTEMPTS; i++) {
        r->stale = r->looked_up = 0;
        buf_clear(&r->out);
        result = operation->run(r);
        if (result == 0 || !r->stale)
            break;
        r->moved = exchange_to_worker(r->exchange); /* the writer is waited for */
        if (r->moved)
            break;
        nanosleep(&(struct timespec){.tv_nsec = ATTEMPT_DELAY_NS}, NULL);
    }
    return result;
}

static void run(struct dynamodb *service, struct exchange *x, const struct operation *operation,
                const json_t *body)
{
    struct request r = {.service = service,
                        .exchange = x,
                        .action = operation->action,
                        .operation = operation->action + ACTION_PREFIX,
                        .layer = operation->layer,
                        .arena = &x->arena,
                        .body = body,
                        .now_ms = x->received_unix_ms ? x->received_unix_ms : clock_unix_ms()};
    enum shape_style style = SHAPE_ALL;
    const struct shape *shape = shape_of_operation(r.operation, &style);
    buf_init(&r.out, REQUEST_MAX_OUT_BYTES);
    int result = shape_check(shape, style, body, r.arena, &r.message, &r.err);
    if (result == 0)
        result = run_operation(&r, operation);
    if (result == 0 && r.out.failed)
        result = err_set(&r.err, ERR_NO_MEMORY, "answer: out of memory");
    if (result < 0 && !r.answered && !r.moved) {
        prefer_types(&r, shape);
        if (operation->enveloped)
            put_into_envelope(&r);
        fail(x, &r);
    } else if (!r.answered && !r.moved) {
        respond(x, 200, r.out.data, r.out.size);
    }
    request_release_owned(&r);
    buf_finish(&r.out);
}

static void refuse_operation(struct exchange *x, const char *name)
{
    char message[128] = "";
    for (size_t i = 0; name && i < sizeof unserved / sizeof *unserved; i++) {
        if (strcmp(unserved[i], name))
            continue;
        snprintf(message, sizeof message, "The operation is not supported by ken: %s", name);
        log_line(LOG_WARN, "dynamodb: %s is not supported", name);
    }
    respond_error(x, 400, "com.amazon.coral.service#UnknownOperationException",
                  *message ? message : NULL, NULL);
}

/* The body as JSON; `*encoded_wrong` when its Content-Encoding cannot be undone. */
static json_t *read_body(struct exchange *x, int *encoded_wrong)
{
    struct err err = {0};
    const char *encoding = exchange_header(x, "Content-Encoding");
    const char *data = exchange_body(x, &err);
    size_t size = x->body.size;
    int is_packed = encoding && (!strcasecmp(encoding, "gzip") || !strcasecmp(encoding, "deflate"));
    *encoded_wrong = encoding && *encoding && !is_packed;
    if (data && is_packed) {
        data = inflate_gzip(data, &size, MAX_BODY_BYTES, &x->arena, &err);
        *encoded_wrong = !data || exchange_admit_tree(x, data, size, &err) < 0;
    }
    return data && !*encoded_wrong ? json_loadb(data, size, JSON_ALLOW_NUL, NULL) : NULL;
}

void dynamodb_handle(struct dynamodb *service, struct exchange *x)
{
    const char *name = operation_name(x);
    const struct operation *operation = find_operation(name);
    int encoded_wrong;
    if (!operation) {
        refuse_operation(x, name);
        return;
    }
    if (x->body.size > MAX_BODY_BYTES) {
        respond_error(x, 413, "com.amazon.coral.service#RequestEntityTooLargeException",
                      "Request Entity Too Large", NULL);
        return;
    }
    json_t *body = read_body(x, &encoded_wrong);
    if (json_is_object(body))
        run(service, x, operation, body);
    else if (encoded_wrong)
        respond_error(x, 500, DYNAMODB "InternalServerError", "Internal server error", NULL);
    else
        respond_error(x, 400, "com.amazon.coral.service#SerializationException", NULL, NULL);
    json_decref(body);
}

/* A packed body may be large. */
static int is_small(const struct exchange *x)
{
    return x->body.size <= QUICK_BODY_BYTES && !exchange_header(x, "Content-Encoding");
}

int dynamodb_is_quick(const struct exchange *x)
{
    const struct operation *operation = find_operation(operation_name(x));
    return operation && operation->run == get_item && is_small(x);
}

struct database *dynamodb_writes_to(struct dynamodb *service, const struct exchange *x)
{
    const struct operation *operation = find_operation(operation_name(x));
    int is_one_write = operation && (operation->run == put_item || operation->run == update_item ||
                                     operation->run == delete_item);
    return is_one_write && is_small(x) ? service->database : NULL;
}

struct dynamodb *dynamodb_open(const char *path, const char *account_id, const char *region,
                               struct err *err)
{
    struct dynamodb *service = calloc(1, sizeof *service);
    if (!service) {
        err_set(err, ERR_NO_MEMORY, "open %s: out of memory", path);
        return NULL;
    }
    service->account_id = account_id;
    service->region = region;
    service->database = database_open(path, schema, err);
    if (!service->database) {
        free(service);
        return NULL;
    }
    if (catalogue_open(service, err) == 0)
        service->worker = worker_start(service, err);
    if (!service->worker) {
        dynamodb_close(service);
        return NULL;
    }
    return service;
}

void dynamodb_close(struct dynamodb *service)
{
    if (!service)
        return;
    worker_stop(service->worker);
    catalogue_close(service);
    database_close(service->database);
    free(service);
}
