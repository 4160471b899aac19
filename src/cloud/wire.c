#include "cloud/wire.h"

#include "cloud/cbor.h"
#include "cloud/errors.h"
#include "cloud/inflate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The rest of `text` behind `prefix` and `separator`, or NULL. */
static const char *behind(const char *text, const char *prefix, const char *separator)
{
    size_t size = strlen(prefix), more = strlen(separator);
    return text && !strncmp(text, prefix, size) && !strncmp(text + size, separator, more)
               ? text + size + more
               : NULL;
}

/* SDKs compress large PutMetricData bodies. */
static const char *read_body(struct exchange *x, size_t *size, struct err *err)
{
    const char *data = exchange_body(x, err);
    const char *encoding = exchange_header(x, "Content-Encoding");
    *size = x->body.size;
    if (!data || !encoding || strcasecmp(encoding, "gzip"))
        return data;
    data = inflate_gzip(data, size, WIRE_MAX_BODY_BYTES, &x->arena, err);
    return data && exchange_admit_tree(x, data, *size, err) == 0 ? data : NULL;
}

static void find_protocol(struct exchange *x, struct wire *wire)
{
    const char *target = behind(exchange_header(x, "X-Amz-Target"), wire->service->target, ".");
    const char *path = behind(x->path, "/service/", wire->service->target);
    path = behind(path, "/operation/", "");
    wire->protocol = path ? WIRE_CBOR : target ? WIRE_JSON : WIRE_QUERY;
    wire->operation = path ? path : target;
}

/* What the form has beside the operation's parameters. */
static void take_action(struct exchange *x, struct wire *wire)
{
    static const char *const others[] = {"Action", "Version", "AUTHPARAMS"};
    const char *key, *action = json_string_value(json_object_get(wire->body, "Action"));
    void *at;
    json_t *value;
    wire->operation = action ? arena_strdup(&x->arena, action) : NULL;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        json_object_del(wire->body, others[i]);
    json_object_foreach_safe(wire->body, at, key, value)
    {
        if (!strncmp(key, "X-Amz-", 6))
            json_object_del(wire->body, key);
    }
}

static json_t *read_parameters(struct exchange *x, struct wire *wire, const char *data, size_t size,
                               struct err *err)
{
    json_t *body;
    if (wire->protocol == WIRE_CBOR)
        return size ? cbor_read(data, size, err) : json_object();
    if (wire->protocol == WIRE_QUERY)
        return wire_read_form(x, wire->service, size ? data : x->query, err);
    body = size ? json_loadb(data, size, JSON_ALLOW_NUL, NULL) : json_object();
    if (!body)
        err_set(err, ERR_INVALID, "the body is not JSON");
    return body;
}

int wire_read(struct exchange *x, const struct wire_service *service, struct wire *wire,
              struct err *err)
{
    size_t size;
    *wire = (struct wire){.service = service};
    find_protocol(x, wire);
    const char *data = read_body(x, &size, err);
    wire->body = data ? read_parameters(x, wire, data, size, err) : NULL;
    if (!wire->body)
        return -1;
    if (wire->protocol == WIRE_QUERY)
        take_action(x, wire);
    if (!json_is_object(wire->body) || !wire->operation) {
        json_decref(wire->body);
        wire->body = NULL;
        return err_set(err, ERR_INVALID, "the request is no object, or names no action");
    }
    return 0;
}

const void *wire_find(const void *rows, size_t count, size_t row_bytes, const char *name)
{
    for (const char *row = rows; count--; row += row_bytes)
        if (strcmp(*(const char *const *)row, name) == 0)
            return row;
    return NULL;
}

int wire_has_word(const char *words, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = words; size && (at = strstr(at, word)); at += size)
        if ((at == words || at[-1] == ' ') && (at[size] == ' ' || !at[size]))
            return 1;
    return 0;
}

const char *wire_unknown(const struct wire *wire, const char *known)
{
    const char *key;
    json_t *value;
    json_object_foreach(wire->body, key, value)
    {
        if (!wire_has_word(known, key))
            return key;
    }
    return NULL;
}

int wire_integer(const json_t *from, const char *name, int64_t *out)
{
    const json_t *json = json_object_get(from, name);
    const char *text = json_string_value(json);
    char *end;
    if (!json || json_is_null(json))
        return 0;
    if (json_is_integer(json)) {
        *out = json_integer_value(json);
        return 1;
    }
    if (!text || !*text || *text == ' ')
        return -1;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *end || errno ? -1 : 1;
}

int wire_truth(const json_t *from, const char *name, int otherwise)
{
    const json_t *json = json_object_get(from, name);
    const char *text = json_string_value(json);
    if (json_is_boolean(json))
        return json_is_true(json);
    if (text && !strcasecmp(text, "true"))
        return 1;
    return text && !strcasecmp(text, "false") ? 0 : otherwise;
}

int wire_is_time(const struct wire_service *service, const char *member)
{
    const char *at = strstr(member, "Timestamp");
    return service->has_times && at && (!strcmp(at, "Timestamp") || !strcmp(at, "Timestamps"));
}

static const char *content_type(enum wire_protocol protocol)
{
    return protocol == WIRE_CBOR   ? "application/cbor"
           : protocol == WIRE_JSON ? "application/x-amz-json-1.0"
                                   : "text/xml";
}

static void write_json(struct buf *out, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    buf_puts(out, text ? text : "{}");
    free(text);
}

static void respond(struct exchange *x, const struct wire *wire, int status, struct buf *out)
{
    if (wire->protocol == WIRE_CBOR)
        exchange_reply_header(x, "smithy-protocol", "rpc-v2-cbor");
    exchange_respond(x, status, content_type(wire->protocol), out->data ? out->data : "",
                     out->size);
    buf_finish(out);
}

void wire_answer(struct exchange *x, const struct wire *wire, const json_t *answer)
{
    struct buf out;
    buf_init(&out, WIRE_MAX_ANSWER_BYTES);
    if (wire->protocol == WIRE_CBOR)
        cbor_write(&out, answer);
    else if (wire->protocol == WIRE_QUERY)
        wire_write_xml(x, wire, answer, &out);
    else
        write_json(&out, answer);
    if (!out.failed) {
        respond(x, wire, 200, &out);
        return;
    }
    buf_finish(&out);
    wire_fail(x, wire, "InternalFailure", "the answer is too large");
}

static struct wire_error find_error(const struct wire_service *service, const char *code)
{
    for (size_t i = 0; i < service->error_count; i++)
        if (!strcmp(service->errors[i].code, code))
            return service->errors[i];
    return (struct wire_error){code, code, error_status(code)};
}

/* The newer protocols name errors by their shapes, and give the query protocol's code beside. */
void wire_fail(struct exchange *x, const struct wire *wire, const char *code, const char *message)
{
    struct buf out;
    struct wire_error error = find_error(wire->service, code);
    const char *side = error.status < 500 ? "Sender" : "Receiver";
    buf_init(&out, 64 * 1024);
    if (wire->protocol == WIRE_QUERY) {
        buf_printf(&out,
                   "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"%s\"><Error><Type>%s</Type>"
                   "<Code>%s</Code><Message>",
                   wire->service->name_space, side, code);
        error_xml_escape(&out, message);
        buf_printf(&out, "</Message>%s</Error><RequestId>%s</RequestId></ErrorResponse>",
                   wire->service->has_detail ? "<Detail/>" : "", x->request_id);
        respond(x, wire, error.status, &out);
        return;
    }
    char *type = arena_printf(&x->arena, "%s%s", wire->service->shape_prefix, error.shape);
    char *header = arena_printf(&x->arena, "%s;%s", code, side);
    json_t *body = json_pack("{s:s,s:s,s:s}", "__type", type ? type : code, "message", message,
                             "Message", message);
    if (header)
        exchange_reply_header(x, "x-amzn-query-error", header);
    if (wire->protocol == WIRE_CBOR)
        cbor_write(&out, body);
    else
        write_json(&out, body);
    json_decref(body);
    respond(x, wire, error.status, &out);
}
