#include "cloud/dynamodb/batch.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* TransactWriteItems and TransactGetItems. Nothing else writes while a transaction does, so there
 * are no conflicts between two: the later one sees what the first left. */

enum { MAX_TRANSACTION_BYTES = 4 * 1024 * 1024, TOKEN_LIFE_MS = 10 * 60 * 1000 };

static const struct transaction_type {
    const char *name;
    enum write_type type;
    unsigned uses;
    const char *action; /* to be allowed */
} transaction_types[] = {
    {"Put", WRITE_PUT, USES_CONDITION, "dynamodb:PutItem"},
    {"Delete", WRITE_DELETE, USES_CONDITION, "dynamodb:DeleteItem"},
    {"Update", WRITE_UPDATE, USES_CONDITION | USES_UPDATE, "dynamodb:UpdateItem"},
    {"ConditionCheck", WRITE_CHECK, USES_CONDITION, "dynamodb:ConditionCheckItem"},
};

static const struct transaction_type *find_type(struct request *r, const json_t *item)
{
    if (json_object_size(item) == 1)
        for (size_t i = 0; i < sizeof transaction_types / sizeof *transaction_types; i++)
            if (json_object_get(item, transaction_types[i].name))
                return &transaction_types[i];
    err_set(&r->err, ERR_INVALID,
            "TransactItems can only contain one of Check, Put, Update or Delete");
    return NULL;
}

static int returns_item(const json_t *from)
{
    const char *choice =
        json_string_value(json_object_get(from, "ReturnValuesOnConditionCheckFailure"));
    return choice && !strcmp(choice, "ALL_OLD");
}

/* The first action that does not fit its table's schema cancels all, and nobody looks at others;
 * what no table takes is refused at once. */
static int check_action(struct request *r, struct batch *batch, struct write *w)
{
    if (batch->misfits)
        return 0;
    int result = batch_check_write(r, w);
    if (result == 0 && w->update)
        result = update_check_keys(r, w->table, w->update);
    if (result == 0 || r->err.code != ERR_INVALID)
        return result;
    batch->misfits = 1;
    w->failed = ERR_INVALID;
    w->failure = arena_strdup(r->arena, r->err.message);
    r->err = (struct err){0};
    return 0;
}

/* What can be wrong with an action whatever its table is. */
static int read_action(struct request *r, struct batch *batch, size_t i, const json_t *item)
{
    const struct transaction_type *type = find_type(r, item);
    struct write *w = &batch->writes[i];
    struct expressions *expressions = &batch->expressions[i];
    if (!type)
        return -1;
    const json_t *from = json_object_get(item, type->name);
    w->type = type->type;
    w->wants_old = batch->wants_failed_item[i] = returns_item(from);
    w->counts_units = batch->capacity != CAPACITY_NONE;
    if (w->type == WRITE_PUT && request_read_item(r, json_object_get(from, "Item"), &w->item) < 0)
        return -1;
    if (expressions_parse(r, from, type->uses, expressions) < 0)
        return -1;
    if (w->type != WRITE_PUT && request_read_item(r, json_object_get(from, "Key"), &w->item) < 0)
        return -1;
    w->condition = expressions->condition;
    w->update = expressions->has_update ? &expressions->update : NULL;
    return 0;
}

static int find_table(struct request *r, struct batch *batch, const char *action,
                      const json_t *from)
{
    struct write *w = &batch->writes[batch->count];
    const char *name;
    if (param_table_name(r, from, &name) < 0)
        return -1;
    w->table = request_find_table_for(r, action, name);
    if (!w->table)
        return -1;
    batch->count++;
    return check_action(r, batch, w);
}

static int check_whole(struct request *r, const struct batch *batch)
{
    size_t bytes = 0;
    for (size_t i = 0; i < batch->count; i++) {
        bytes += item_size(&batch->writes[i].item);
        for (size_t j = 0; j < i; j++)
            if (!batch->writes[i].failed && !batch->writes[j].failed &&
                batch_same_key(&batch->writes[i], &batch->writes[j]))
                return err_set(&r->err, ERR_INVALID,
                               "Transaction request cannot include multiple operations on one "
                               "item");
    }
    if (bytes > MAX_TRANSACTION_BYTES)
        return err_set(&r->err, ERR_INVALID,
                       "The aggregate size of the items in the transaction exceeds the limit of "
                       "%d bytes",
                       MAX_TRANSACTION_BYTES);
    return 0;
}

static int read_transaction(struct request *r, struct batch *batch)
{
    const json_t *items = json_object_get(r->body, "TransactItems");
    size_t i;
    json_t *item;
    if (param_capacity(r, &batch->capacity) < 0)
        return -1;
    json_array_foreach(items, i, item)
    {
        if (read_action(r, batch, i, item) < 0)
            return -1;
    }
    json_array_foreach(items, i, item)
    {
        const struct transaction_type *type = find_type(r, item);
        if (find_table(r, batch, type->action, json_object_get(item, type->name)) < 0)
            return -1;
    }
    return check_whole(r, batch);
}

static const char *reason_code(enum err_code failed)
{
    return failed == ERR_NONE     ? "None"
           : failed == ERR_DENIED ? "ConditionalCheckFailed"
                                  : "ValidationError";
}

static void write_reason(struct buf *out, const struct write *w, int with_item)
{
    buf_printf(out, "{\"Code\":\"%s\"", reason_code(w->failed));
    if (w->failed) {
        const char *message = w->failure ? w->failure : "";
        buf_puts(out, ",\"Message\":");
        json_write_string(out, message, strlen(message));
    }
    if (w->failed == ERR_DENIED && with_item && w->had_old) {
        buf_puts(out, ",\"Item\":");
        item_write(out, &w->old);
    }
    buf_puts(out, "}");
}

/* One reason an action, in their order. */
static int cancel(struct request *r, const struct write *writes, const int *with_item, size_t count)
{
    struct buf reasons, codes;
    buf_init(&reasons, REQUEST_MAX_OUT_BYTES);
    buf_init(&codes, 4096);
    buf_puts(&reasons, ",\"CancellationReasons\":[");
    for (size_t i = 0; i < count; i++) {
        buf_printf(&codes, "%s%s", i ? ", " : "", reason_code(writes[i].failed));
        buf_puts(&reasons, i ? "," : "");
        write_reason(&reasons, &writes[i], with_item && with_item[i]);
    }
    buf_puts(&reasons, "]");
    r->error_extra = reasons.data ? arena_copy(r->arena, reasons.data, reasons.size) : NULL;
    r->error_type = "TransactionCanceledException";
    r->message = arena_printf(r->arena,
                              "Transaction cancelled, please refer cancellation reasons for "
                              "specific reasons [%s]",
                              codes.data ? codes.data : "");
    buf_finish(&reasons);
    buf_finish(&codes);
    return err_set(&r->err, ERR_DENIED, "the transaction is cancelled");
}

/* ClientRequestToken: a repeated request within ten minutes is answered, and not done again. */
struct token {
    struct request *request;
    const char *text;
    unsigned char digest[32]; /* SHA-256 of the request, members in order of their names */
    int repeated;
};

static int read_token(struct request *r, struct token *token)
{
    token->request = r;
    token->text = json_string_value(json_object_get(r->body, "ClientRequestToken"));
    char *text = token->text ? json_dumps(r->body, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (!token->text)
        return 0;
    if (!text || EVP_Digest(text, strlen(text), token->digest, NULL, EVP_sha256(), NULL) != 1) {
        free(text);
        return err_set(&r->err, ERR_NO_MEMORY, "digest of a request: out of memory");
    }
    free(text);
    return 0;
}

static int forget_tokens(struct connection *connection, int64_t now_ms, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(connection, "DELETE FROM tokens WHERE at < ?1", err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, now_ms - TOKEN_LIFE_MS);
    return connection_run(connection, s, err);
}

/* 1 when the token is known, 0 when not; -1 with an error when it was another request's. */
static int find_token(struct connection *connection, struct token *token, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(connection, "SELECT digest FROM tokens WHERE token = ?1", err);
    if (!s)
        return -1;
    sqlite3_bind_text(s, 1, token->text, -1, SQLITE_STATIC);
    int found = sqlite3_step(s) == SQLITE_ROW;
    int same = found && sqlite3_column_bytes(s, 0) == (int)sizeof token->digest &&
               !memcmp(sqlite3_column_blob(s, 0), token->digest, sizeof token->digest);
    connection_reset(s);
    if (!found || same)
        return found;
    token->request->error_type = "IdempotentParameterMismatchException";
    return err_set(err, ERR_EXISTS,
                   "Request rejected: the token was used before with other parameters");
}

static int store_token(struct connection *connection, const struct token *token, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        connection, "INSERT INTO tokens(token, digest, at) VALUES(?1, ?2, ?3)", err);
    if (!s)
        return -1;
    sqlite3_bind_text(s, 1, token->text, -1, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, token->digest, sizeof token->digest, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, token->request->now_ms);
    return connection_run(connection, s, err);
}

/* In front of the writes, in their step: if they fail, the token is not known either. */
static int use_token(struct connection *connection, void *context, struct err *err)
{
    struct token *token = context;
    if (forget_tokens(connection, token->request->now_ms, err) < 0)
        return -1;
    token->repeated = find_token(connection, token, err);
    if (token->repeated)
        return token->repeated;
    return store_token(connection, token, err);
}

/* A repeated request has read, not written. */
static void count_repeated(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        batch->writes[i].old_size = item_size(&batch->writes[i].item);
}

static int run_transaction(struct request *r, struct batch *batch)
{
    struct token token = {0};
    if (read_transaction(r, batch) < 0 || read_token(r, &token) < 0)
        return -1;
    if (batch->misfits)
        return cancel(r, batch->writes, batch->wants_failed_item, batch->count);
    int result =
        write_transaction(r, batch->writes, batch->count, token.text ? use_token : NULL, &token);
    if (result < 0)
        return r->err.code == ERR_DENIED
                   ? cancel(r, batch->writes, batch->wants_failed_item, batch->count)
                   : -1;
    int first = 1;
    buf_puts(&r->out, "{");
    if (token.repeated)
        count_repeated(batch);
    batch_write_answer(r, batch, TRANSACTION_FACTOR, &first);
    return buf_puts(&r->out, "}");
}

int transact_write_items(struct request *r)
{
    struct batch *batch = batch_make(r);
    if (!batch)
        return -1;
    int result = run_transaction(r, batch);
    batch_release(batch);
    return result;
}

static int read_get(struct request *r, struct batch *batch, size_t i, const json_t *get)
{
    batch->writes[i].type = WRITE_CHECK;
    return request_read_item(r, json_object_get(get, "Key"), &batch->writes[i].item) < 0
               ? -1
               : expressions_parse(r, get, USES_PROJECTION, &batch->expressions[i]);
}

static int get_one(struct request *r, struct connection *connection, struct write *w,
                   const struct expressions *expressions)
{
    struct key key;
    struct stored stored = {0};
    if (table_key(w->table, &w->item, &key, r->arena, &r->err) < 0)
        return -1;
    int found = item_load(connection, r, w->table, &key, &stored);
    if (found < 0)
        return -1;
    w->old_size = stored.size;
    if (!found)
        return buf_puts(&r->out, "{}");
    static const char member[] = "{\"Item\":";
    buf_puts(&r->out, member);
    size_t at = r->out.size;
    if (write_projected(r, expressions->has_projection ? &expressions->projection : NULL,
                        stored.text, stored.text_size) < 0)
        return -1;
    if (r->out.size == at + 2) /* {}: other than in GetItem, no item is told of */
        r->out.size = at - (sizeof member - 2);
    return buf_puts(&r->out, "}");
}

/* All in one read transaction: no write comes between. */
static int run_gets(struct request *r, struct connection *connection, struct batch *batch)
{
    int result = connection_exec(connection, "BEGIN", &r->err), begun = result == 0;
    buf_puts(&r->out, "{\"Responses\":[");
    for (size_t i = 0; result == 0 && i < batch->count; i++) {
        buf_puts(&r->out, i ? "," : "");
        result = get_one(r, connection, &batch->writes[i], &batch->expressions[i]);
    }
    buf_puts(&r->out, "]");
    struct err ignored;
    if (begun && connection_exec(connection, "COMMIT", &ignored) < 0)
        result = result < 0 ? -1 : err_set(&r->err, ERR_IO, "%s", ignored.message);
    return result;
}

static int read_gets(struct request *r, struct batch *batch)
{
    size_t i;
    json_t *item;
    if (param_capacity(r, &batch->capacity) < 0)
        return -1;
    json_array_foreach(json_object_get(r->body, "TransactItems"), i, item)
    {
        if (read_get(r, batch, i, json_object_get(item, "Get")) < 0)
            return -1;
    }
    json_array_foreach(json_object_get(r->body, "TransactItems"), i, item)
    {
        const json_t *get = json_object_get(item, "Get");
        if (find_table(r, batch, "dynamodb:GetItem", get) < 0 ||
            expressions_check_keys(r, batch->writes[i].table, &batch->expressions[i]) < 0)
            return -1;
    }
    return batch->misfits ? cancel(r, batch->writes, NULL, batch->count) : check_whole(r, batch);
}

static int answer_gets(struct request *r, struct batch *batch)
{
    if (read_gets(r, batch) < 0)
        return -1;
    struct connection *connection = database_read_begin(r->service->database, &r->err);
    if (!connection)
        return -1;
    int result = run_gets(r, connection, batch);
    database_read_end(r->service->database, connection);
    if (result == 0)
        batch_write_reads(r, batch, TRANSACTION_FACTOR);
    return result < 0 ? -1 : buf_puts(&r->out, "}");
}

int transact_get_items(struct request *r)
{
    struct batch *batch = batch_make(r);
    if (!batch)
        return -1;
    int result = answer_gets(r, batch);
    batch_release(batch);
    return result;
}
