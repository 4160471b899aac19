#include "cloud/cloudwatch/wire.h"

#include "base/clock.h"
#include "cloud/cloudwatch/cbor.h"
#include "cloud/errors.h"
#include "cloud/query.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define SERVICE "GraniteServiceVersion20100801"
#define NAMESPACE "http://monitoring.amazonaws.com/doc/2010-08-01/"

enum { MAX_DEPTH = 16 };

/* The rest of `text` behind `prefix`, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text && !strncmp(text, prefix, size) ? text + size : NULL;
}

static json_t *bad_query(struct err *err)
{
    err_set(err, ERR_INVALID, "a parameter's name or value is malformed");
    return NULL;
}

/* One level down the name: `part` is a list index or a member's name. */
static json_t *descend(json_t *at, const char *part, int is_last, const char *value)
{
    json_t *next = is_last ? json_string(value) : NULL;
    char *end;
    if (json_is_null(at))
        return next;
    if (part[0] >= '0' && part[0] <= '9') {
        unsigned long index = strtoul(part, &end, 10);
        if (*end || !json_is_array(at) || index < 1 || index > json_array_size(at) + 1 ||
            index > WIRE_MAX_LIST) {
            json_decref(next);
            return NULL;
        }
        if (index > json_array_size(at))
            json_array_append_new(at, next ? next : json_object());
        else if (next)
            json_array_set_new(at, index - 1, next);
        return json_array_get(at, index - 1);
    }
    if (!json_is_object(at)) {
        json_decref(next);
        return NULL;
    }
    if (next)
        json_object_set_new(at, part, next);
    return json_object_get(at, part);
}

/* Put "A.member.1.B" = value into the object. */
static int put_parameter(json_t *object, char *name, const char *value)
{
    char *rest = name, *part = strsep(&rest, ".");
    json_t *at = object;
    for (int depth = 0; part; depth++) {
        if (depth == MAX_DEPTH || !at)
            return -1;
        char *next = strsep(&rest, ".");
        int lists = next && !strcmp(next, "member");
        if (lists)
            next = strsep(&rest, ".");
        if (lists && json_is_object(at)) {
            if (!json_object_get(at, part))
                json_object_set_new(at, part, json_array());
            at = json_object_get(at, part);
        } else if (next && json_is_object(at) && !json_object_get(at, part)) {
            json_object_set_new(at, part, json_object());
            at = json_object_get(at, part);
        } else {
            at = descend(at, part, !next, value);
        }
        part = next;
    }
    return at ? 0 : -1;
}

static json_t *read_query(struct exchange *x, const char *text, struct err *err)
{
    struct query_pair pair;
    json_t *object = json_object();
    while (query_next(&text, &pair)) {
        char *name = exchange_decode(x, pair.name, pair.name_size, 1);
        char *value = exchange_decode(x, pair.value, pair.value_size, 1);
        if (!name || !value || put_parameter(object, name, value) < 0) {
            json_decref(object);
            return bad_query(err);
        }
    }
    return object;
}

/* SDKs compress large PutMetricData bodies. */
static const char *inflate_body(struct exchange *x, const char *data, size_t *size, struct err *err)
{
    z_stream stream = {.next_in = (unsigned char *)data, .avail_in = (unsigned)*size};
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) {
        err_set(err, ERR_NO_MEMORY, "inflate the body: out of memory");
        return NULL;
    }
    struct buf out;
    unsigned char piece[16384];
    int step = Z_OK;
    buf_init(&out, WIRE_MAX_BODY_BYTES);
    while (step == Z_OK && !out.failed) {
        stream.next_out = piece;
        stream.avail_out = sizeof piece;
        step = inflate(&stream, Z_NO_FLUSH);
        buf_append(&out, piece, sizeof piece - stream.avail_out);
    }
    inflateEnd(&stream);
    const char *copy = NULL;
    if (step == Z_STREAM_END && !out.failed)
        copy = arena_copy(&x->arena, out.data, out.size);
    *size = out.size;
    buf_finish(&out);
    if (!copy)
        err_set(err, ERR_INVALID, "the gzip body is damaged or too large");
    return copy;
}

static const char *read_body(struct exchange *x, size_t *size, struct err *err)
{
    const char *data = exchange_body(x, err);
    const char *encoding = exchange_header(x, "Content-Encoding");
    *size = x->body.size;
    if (data && encoding && !strcasecmp(encoding, "gzip"))
        return inflate_body(x, data, size, err);
    return data;
}

static void find_protocol(struct exchange *x, struct wire *wire)
{
    const char *target = behind(exchange_header(x, "X-Amz-Target"), SERVICE ".");
    const char *path = behind(x->path, "/service/" SERVICE "/operation/");
    wire->protocol = path ? WIRE_CBOR : target ? WIRE_JSON : WIRE_QUERY;
    wire->operation = path ? path : target;
}

int wire_read(struct exchange *x, struct wire *wire, struct err *err)
{
    size_t size;
    *wire = (struct wire){0};
    find_protocol(x, wire);
    const char *data = read_body(x, &size, err);
    if (!data)
        return -1;
    if (wire->protocol == WIRE_CBOR)
        wire->body = size ? cbor_read(data, size, err) : json_object();
    else if (wire->protocol == WIRE_QUERY)
        wire->body = read_query(x, size ? data : x->query, err);
    else if (!(wire->body = json_loadb(data, size, 0, NULL)))
        err_set(err, ERR_INVALID, "the body is not JSON");
    if (wire->protocol == WIRE_QUERY && wire->body) {
        const char *action = json_string_value(json_object_get(wire->body, "Action"));
        wire->operation = action ? arena_strdup(&x->arena, action) : NULL;
    }
    if (!wire->body)
        return -1;
    if (!json_is_object(wire->body) || !wire->operation) {
        json_decref(wire->body);
        wire->body = NULL;
        return err_set(err, ERR_INVALID, "the request is no object, or names no action");
    }
    return 0;
}

static void write_xml(struct buf *out, const json_t *json, int is_time);

static void write_xml_map(struct buf *out, const json_t *json)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        buf_puts(out, "<entry><key>");
        error_xml_escape(out, key);
        buf_puts(out, "</key><value>");
        write_xml(out, value, 0);
        buf_puts(out, "</value></entry>");
    }
}

static void write_xml_object(struct buf *out, const json_t *json)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        buf_printf(out, "<%s>", key);
        if (!strcmp(key, "ExtendedStatistics"))
            write_xml_map(out, value);
        else
            write_xml(out, value, !strcmp(key, "Timestamp") || !strcmp(key, "Timestamps"));
        buf_printf(out, "</%s>", key);
    }
}

static void write_xml(struct buf *out, const json_t *json, int is_time)
{
    size_t i;
    json_t *element;
    char time[CLOCK_TEXT_BYTES];
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        write_xml_object(out, json);
        break;
    case JSON_ARRAY:
        json_array_foreach(json, i, element)
        {
            buf_puts(out, "<member>");
            write_xml(out, element, is_time);
            buf_puts(out, "</member>");
        }
        break;
    case JSON_STRING:
        error_xml_escape(out, json_string_value(json));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        if (is_time) {
            clock_text((int64_t)(json_number_value(json) * 1000), time);
            buf_puts(out, time);
        } else if (json_is_real(json)) {
            buf_printf(out, "%.17g", json_real_value(json));
        } else {
            buf_printf(out, "%lld", (long long)json_integer_value(json));
        }
        break;
    default:
        buf_puts(out, json_is_true(json) ? "true" : json_is_false(json) ? "false" : "");
    }
}

static void answer_query(struct exchange *x, const struct wire *wire, const json_t *answer,
                         struct buf *out)
{
    buf_printf(out, "<%sResponse xmlns=\"" NAMESPACE "\">", wire->operation);
    if (json_object_size(answer)) {
        buf_printf(out, "<%sResult>", wire->operation);
        write_xml(out, answer, 0);
        buf_printf(out, "</%sResult>", wire->operation);
    }
    buf_printf(out, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>",
               x->request_id, wire->operation);
}

static const char *content_type(enum wire_protocol protocol)
{
    return protocol == WIRE_CBOR   ? "application/cbor"
           : protocol == WIRE_JSON ? "application/x-amz-json-1.0"
                                   : "text/xml";
}

static void respond(struct exchange *x, const struct wire *wire, int status, struct buf *out)
{
    if (wire->protocol == WIRE_CBOR)
        exchange_reply_header(x, "smithy-protocol", "rpc-v2-cbor");
    if (out->failed)
        exchange_fail(x, "InternalFailure", "the answer is too large");
    else
        exchange_respond(x, status, content_type(wire->protocol), out->data ? out->data : "",
                         out->size);
    buf_finish(out);
}

void wire_answer(struct exchange *x, const struct wire *wire, const json_t *answer)
{
    struct buf out;
    buf_init(&out, (size_t)64 * 1024 * 1024);
    if (wire->protocol == WIRE_CBOR) {
        cbor_write(&out, answer);
    } else if (wire->protocol == WIRE_QUERY) {
        answer_query(x, wire, answer, &out);
    } else {
        char *text = json_dumps(answer, JSON_COMPACT);
        buf_puts(&out, text ? text : "{}");
        free(text);
    }
    respond(x, wire, 200, &out);
}

/* The newer protocols name errors by their shapes, and give the query protocol's code beside. */
static const char *shape_of(const char *code)
{
    static const char *const shapes[][2] = {
        {"InvalidParameterValue", "InvalidParameterValueException"},
        {"InvalidParameterCombination", "InvalidParameterCombinationException"},
        {"MissingParameter", "MissingRequiredParameterException"},
        {"InternalServiceError", "InternalServiceFault"},
        {"InvalidNextToken", "InvalidNextToken"},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!strcmp(shapes[i][0], code))
            return shapes[i][1];
    return code;
}

void wire_fail(struct exchange *x, const struct wire *wire, int status, const char *code,
               const char *message)
{
    struct buf out;
    const char *side = status < 500 ? "Sender" : "Receiver";
    buf_init(&out, 64 * 1024);
    if (wire->protocol == WIRE_QUERY) {
        buf_printf(&out,
                   "<ErrorResponse xmlns=\"" NAMESPACE
                   "\"><Error><Type>%s</Type><Code>%s</Code><Message>",
                   side, code);
        error_xml_escape(&out, message);
        buf_printf(&out, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>",
                   x->request_id);
        respond(x, wire, status, &out);
        return;
    }
    char *type = arena_printf(&x->arena, "com.amazonaws.cloudwatch.v2010_08_01#%s", shape_of(code));
    char *header = arena_printf(&x->arena, "%s;%s", code, side);
    json_t *body = json_pack("{s:s,s:s,s:s}", "__type", type ? type : code, "message", message,
                             "Message", message);
    if (header)
        exchange_reply_header(x, "x-amzn-query-error", header);
    if (wire->protocol == WIRE_CBOR) {
        cbor_write(&out, body);
    } else {
        char *text = json_dumps(body, JSON_COMPACT);
        buf_puts(&out, text ? text : "{}");
        free(text);
    }
    json_decref(body);
    respond(x, wire, status, &out);
}
