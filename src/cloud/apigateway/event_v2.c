#include "cloud/apigateway/event_parts.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Version 2.0: names in lower case, several values of a name joined by commas, cookies apart, and
 * what is not there is left out. */

enum { MAX_NAME_BYTES = 512 };

/* Adds ",value" to what the name has. */
static void add_joined(json_t *object, const char *name, const char *value)
{
    const char *before = json_string_value(json_object_get(object, name));
    json_t *text = before ? json_sprintf("%s,%s", before, value) : json_string(value);
    if (text)
        json_object_set_new(object, name, text);
}

static void lower(const char *name, char out[MAX_NAME_BYTES])
{
    size_t i = 0;
    for (; name[i] && i + 1 < MAX_NAME_BYTES; i++)
        out[i] = (char)tolower((unsigned char)name[i]);
    out[i] = 0;
}

static void add_cookies(json_t *cookies, const char *text)
{
    while (*text) {
        text += strspn(text, "; ");
        size_t size = strcspn(text, ";");
        if (size)
            json_array_append_new(cookies, json_stringn(text, size));
        text += size;
    }
}

static void add_headers(json_t *event, const struct event_request *r)
{
    char name[MAX_NAME_BYTES];
    json_t *headers = json_object(), *cookies = json_array();
    for (size_t i = 0; i < r->header_count; i++) {
        if (event_hides(r, r->headers[i].name))
            continue;
        lower(r->headers[i].name, name);
        if (strcmp(name, "cookie") == 0)
            add_cookies(cookies, r->headers[i].value);
        else
            add_joined(headers, name, r->headers[i].value);
    }
    add_joined(headers, "x-forwarded-for", r->source_ip);
    add_joined(headers, "x-forwarded-port", event_port(r));
    add_joined(headers, "x-forwarded-proto", r->is_secure ? "https" : "http");
    if (json_array_size(cookies))
        json_object_set(event, "cookies", cookies);
    json_decref(cookies);
    json_object_set_new(event, "headers", headers);
}

static void add_query(json_t *event, const struct event_request *r)
{
    json_t *query = json_object();
    for (size_t i = 0; i < r->query_count; i++)
        add_joined(query, r->query[i].name, r->query[i].value);
    if (r->query_count)
        json_object_set(event, "queryStringParameters", query);
    json_decref(query);
}

static void add_parameters(json_t *event, const struct event_request *r)
{
    size_t count = r->match ? r->match->parameter_count : 0;
    json_t *parameters = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(parameters, r->match->parameters[i].name,
                            event_text(r->match->parameters[i].value));
    if (count)
        json_object_set(event, "pathParameters", parameters);
    json_decref(parameters);
    if (json_object_size(r->stage_variables))
        json_object_set_new(event, "stageVariables", json_deep_copy(r->stage_variables));
}

static json_t *make_http(const struct event_request *r)
{
    const char *agent = event_header(r, "User-Agent");
    return json_pack("{s:s, s:o, s:s, s:o, s:o}", "method", r->method, "path", event_text(r->path),
                     "protocol", "HTTP/1.1", "sourceIp", event_text(r->source_ip), "userAgent",
                     event_text(agent ? agent : ""));
}

static json_t *make_authorizer(const struct event_request *r)
{
    return json_pack("{s:{s:o, s:o, s:o, s:n, s:n, s:o, s:o}}", "iam", "accessKey",
                     event_text(r->access_key_id), "accountId", event_text(r->account_id),
                     "callerId", event_text(r->access_key_id), "cognitoIdentity", "principalOrgId",
                     "userArn", event_text(r->user_arn), "userId", event_text(r->access_key_id));
}

static void add_context(json_t *event, const struct event_request *r)
{
    json_t *context = json_object();
    json_object_set_new(context, "accountId",
                        event_text(r->access_key_id || r->match ? r->account_id : "anonymous"));
    json_object_set_new(context, "apiId", event_text(r->api_id));
    if (r->access_key_id)
        json_object_set_new(context, "authorizer", make_authorizer(r));
    json_object_set_new(context, "domainName", event_text(r->domain_name));
    json_object_set_new(context, "domainPrefix", event_text(r->domain_prefix));
    json_object_set_new(context, "http", make_http(r));
    json_object_set_new(context, "requestId", event_text(r->request_id));
    json_object_set_new(context, "routeKey", event_text(r->route_key));
    json_object_set_new(context, "stage", event_text(r->stage));
    json_object_set_new(context, "time", event_time(r->unix_ms));
    json_object_set_new(context, "timeEpoch", json_integer(r->unix_ms));
    json_object_set_new(event, "requestContext", context);
}

static int ends_with(const char *text, size_t size, const char *end)
{
    size_t length = strlen(end);
    return size >= length && strncasecmp(text + size - length, end, length) == 0;
}

/* Text is what says that it is; a body without a type is JSON. */
static int is_text(const char *type)
{
    static const char *const known[] = {"application/json", "application/javascript",
                                        "application/xml"};
    size_t size = type ? strcspn(type, "; ") : 0;
    if (size == 0 || strncasecmp(type, "text/", 5) == 0)
        return 1;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strlen(known[i]) == size && strncasecmp(type, known[i], size) == 0)
            return 1;
    return ends_with(type, size, "+json") || ends_with(type, size, "+xml");
}

char *event_create_v2(const struct event_request *r, size_t *size)
{
    json_t *event = json_object();
    json_object_set_new(event, "version", json_string("2.0"));
    json_object_set_new(event, "routeKey", event_text(r->route_key));
    json_object_set_new(event, "rawPath", event_text(r->path));
    json_object_set_new(event, "rawQueryString", event_text(r->raw_query));
    add_headers(event, r);
    add_query(event, r);
    add_parameters(event, r);
    add_context(event, r);
    struct event_body body = {.data = r->body, .size = r->body_bytes};
    body.is_text = body.size > 0 && is_text(event_header(r, "Content-Type")) &&
                   !memchr(body.data, 0, body.size);
    return event_write(event, &body, size);
}
