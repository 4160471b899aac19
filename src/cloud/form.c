#include "cloud/form.h"

#include "cloud/errors.h"
#include "cloud/query.h"

#include <string.h>

static const char *find(struct exchange *x, const char *form, const char *name)
{
    struct query_pair pair;
    size_t size = strlen(name);
    while (query_next(&form, &pair)) {
        if (pair.name_size != size || memcmp(pair.name, name, size) != 0)
            continue;
        return exchange_decode(x, pair.value, pair.value_size, 1);
    }
    return NULL;
}

const char *form_get(struct exchange *x, const char *name)
{
    struct err err;
    const char *body = x->body.size ? exchange_body(x, &err) : NULL;
    const char *value = body ? find(x, body, name) : NULL;
    return value ? value : find(x, x->query, name);
}

const char *form_next(struct exchange *x, struct form_cursor *cursor)
{
    struct query_pair pair;
    struct err err;
    for (;;) {
        if (cursor->at && query_next(&cursor->at, &pair)) {
            const char *name = exchange_decode(x, pair.name, pair.name_size, 1);
            if (name)
                return name;
        } else if (cursor->place == 0) {
            cursor->at = x->body.size ? exchange_body(x, &err) : NULL;
            cursor->place = 1;
        } else if (cursor->place == 1) {
            cursor->at = x->query;
            cursor->place = 2;
        } else {
            return NULL;
        }
    }
}

void form_begin(struct buf *body, const char *action, const char *name_space, size_t limit_bytes)
{
    buf_init(body, limit_bytes);
    buf_printf(body, "<%sResponse xmlns=\"%s\"><%sResult>", action, name_space, action);
}

void form_put(struct buf *body, const char *element, const char *text)
{
    buf_printf(body, "<%s>", element);
    error_xml_escape(body, text);
    buf_printf(body, "</%s>", element);
}

void form_put_encoded(struct buf *body, const char *element, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
    buf_printf(body, "<%s>", element);
    for (; *text; text++) {
        if (strchr(plain, *text))
            buf_append(body, text, 1);
        else
            buf_printf(body, "%%%02X", (unsigned char)*text);
    }
    buf_printf(body, "</%s>", element);
}

void form_respond(struct exchange *x, struct buf *body, const char *action)
{
    buf_printf(body,
               "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
               "</%sResponse>",
               action, x->request_id, action);
    if (body->failed)
        exchange_fail(x, "InternalFailure", "the answer is too large");
    else
        exchange_respond(x, 200, "text/xml", body->data, body->size);
    buf_finish(body);
}
