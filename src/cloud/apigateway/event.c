#include "cloud/apigateway/event.h"

#include "cloud/apigateway/event_parts.h"
#include "cloud/query.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* The query */

static char *decode(struct arena *arena, const char *text, size_t size)
{
    char *out = arena_copy(arena, text, size);
    return out && query_decode(out, 1) == 0 ? out : NULL;
}

int event_split_query(const char *query, struct event_pair *pairs, size_t most, struct arena *arena)
{
    size_t count = 0;
    for (struct query_pair pair; query_next(&query, &pair); count++) {
        if (count == most)
            return -1;
        pairs[count] = (struct event_pair){decode(arena, pair.name, pair.name_size),
                                           decode(arena, pair.value, pair.value_size)};
        if (!pairs[count].name || !pairs[count].value)
            return -1;
    }
    return (int)count;
}

/* Parts of the event */

json_t *event_text(const char *text)
{
    json_t *value = text ? json_string(text) : NULL;
    return value ? value : json_null(); /* also for what is not UTF-8 */
}

/* The API's documents serve many threads: what is taken from them is copied, so that their
 * reference counts are left alone. */
static json_t *copy_of(const json_t *object, const char *name)
{
    return event_text(json_string_value(json_object_get(object, name)));
}

/* `single` has the last value of a name, `multi` all. */
static void add_pair(json_t *single, json_t *multi, const char *name, const char *value)
{
    json_t *text = json_string(value), *list = json_object_get(multi, name);
    if (!text)
        return; /* not UTF-8: no JSON can hold it */
    if (!list) {
        list = json_array();
        json_object_set_new(multi, name, list);
    }
    json_array_append(list, text);
    json_object_set_new(single, name, text);
}

/* The signature is API Gateway's to check, not the function's to see. */
int event_hides(const struct event_request *r, const char *name)
{
    return r->access_key_id && (strcasecmp(name, "Authorization") == 0 ||
                                strcasecmp(name, "X-Amz-Security-Token") == 0);
}

const char *event_port(const struct event_request *r)
{
    const char *port = r->domain_name ? strrchr(r->domain_name, ':') : NULL;
    if (port && port[1])
        return port + 1;
    return r->is_secure ? "443" : "80";
}

static void add_headers(json_t *event, const struct event_request *r)
{
    json_t *single = json_object(), *multi = json_object();
    for (size_t i = 0; i < r->header_count; i++)
        if (!event_hides(r, r->headers[i].name))
            add_pair(single, multi, r->headers[i].name, r->headers[i].value);
    add_pair(single, multi, "X-Forwarded-For", r->source_ip);
    add_pair(single, multi, "X-Forwarded-Port", event_port(r));
    add_pair(single, multi, "X-Forwarded-Proto", r->is_secure ? "https" : "http");
    json_object_set_new(event, "headers", single);
    json_object_set_new(event, "multiValueHeaders", multi);
}

static void add_query(json_t *event, const struct event_request *r)
{
    json_t *single = json_object(), *multi = json_object();
    for (size_t i = 0; i < r->query_count; i++)
        add_pair(single, multi, r->query[i].name, r->query[i].value);
    if (r->query_count == 0) {
        json_decref(single);
        json_decref(multi);
        single = json_null();
        multi = json_null();
    }
    json_object_set_new(event, "queryStringParameters", single);
    json_object_set_new(event, "multiValueQueryStringParameters", multi);
}

static void add_path_parameters(json_t *event, const struct event_request *r)
{
    json_t *parameters = r->match->parameter_count ? json_object() : json_null();
    for (size_t i = 0; i < r->match->parameter_count; i++)
        json_object_set_new(parameters, r->match->parameters[i].name,
                            event_text(r->match->parameters[i].value));
    json_object_set_new(event, "pathParameters", parameters);
    json_object_set_new(event, "stageVariables",
                        json_object_size(r->stage_variables) ? json_deep_copy(r->stage_variables)
                                                             : json_null());
}

const char *event_header(const struct event_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strcasecmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return NULL;
}

static json_t *make_identity(const struct event_request *r)
{
    json_t *identity =
        json_pack("{s:n, s:n, s:n, s:n, s:n}", "cognitoIdentityPoolId", "cognitoIdentityId",
                  "cognitoAuthenticationType", "cognitoAuthenticationProvider", "principalOrgId");
    json_object_set_new(identity, "accessKey", event_text(r->access_key_id));
    json_object_set_new(identity, "accountId", event_text(r->access_key_id ? r->account_id : NULL));
    json_object_set_new(identity, "caller", event_text(r->access_key_id));
    json_object_set_new(identity, "user", event_text(r->access_key_id));
    json_object_set_new(identity, "userArn", event_text(r->user_arn));
    json_object_set_new(identity, "sourceIp", event_text(r->source_ip));
    json_object_set_new(identity, "userAgent", event_text(event_header(r, "User-Agent")));
    if (r->api_key) {
        json_object_set_new(identity, "apiKey", event_text(r->api_key));
        json_object_set_new(identity, "apiKeyId", event_text(r->api_key_id));
    }
    return identity;
}

json_t *event_time(int64_t unix_ms)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm t;
    time_t seconds = (time_t)(unix_ms / 1000);
    gmtime_r(&seconds, &t);
    return json_sprintf("%02d/%s/%04d:%02d:%02d:%02d +0000", t.tm_mday, months[t.tm_mon],
                        t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static void add_context(json_t *event, const struct event_request *r)
{
    json_t *context = json_object();
    json_t *resource = r->match->resource;
    json_object_set_new(context, "resourceId", copy_of(resource, "id"));
    json_object_set_new(context, "resourcePath", copy_of(resource, "path"));
    json_object_set_new(context, "httpMethod", event_text(r->method));
    json_object_set_new(context, "extendedRequestId", event_text(r->request_id));
    json_object_set_new(context, "requestTime", event_time(r->unix_ms));
    json_object_set_new(context, "path", json_sprintf("/%s%s", r->stage, r->path));
    json_object_set_new(context, "accountId", event_text(r->account_id));
    json_object_set_new(context, "protocol", json_string("HTTP/1.1"));
    json_object_set_new(context, "stage", event_text(r->stage));
    json_object_set_new(context, "domainPrefix", event_text(r->api_id));
    json_object_set_new(context, "domainName", event_text(r->domain_name));
    json_object_set_new(context, "requestTimeEpoch", json_integer(r->unix_ms));
    json_object_set_new(context, "requestId", event_text(r->request_id));
    json_object_set_new(context, "deploymentId", event_text(r->deployment_id));
    json_object_set_new(context, "apiId", event_text(r->api_id));
    json_object_set_new(context, "identity", make_identity(r));
    json_object_set_new(event, "requestContext", context);
}

/* "image/png" is of "image/png", "image/" + "*" and "*" + "/" + "*". */
static int media_type_matches(const char *type, const char *pattern)
{
    size_t size = strcspn(type, "; ");
    size_t pattern_size = strlen(pattern);
    if (strcmp(pattern, "*/*") == 0)
        return 1;
    if (pattern_size > 2 && strcmp(pattern + pattern_size - 2, "/*") == 0)
        return strncasecmp(type, pattern, pattern_size - 1) == 0;
    return size == pattern_size && strncasecmp(type, pattern, size) == 0;
}

static int is_binary(const struct event_request *r)
{
    size_t i;
    json_t *pattern;
    const char *type = event_header(r, "Content-Type");
    json_array_foreach(r->binary_media_types, i, pattern)
    {
        if (type && media_type_matches(type, json_string_value(pattern)))
            return 1;
    }
    return 0;
}

/* Returns the longer text, or NULL; `text` is taken. */
static char *append_base64(char *text, const void *body, size_t body_bytes, size_t *size)
{
    static const char start[] = ",\"isBase64Encoded\":true,\"body\":\"", end[] = "\"}";
    char *longer = realloc(text, *size + sizeof start + body_bytes / 3 * 4 + 8 + sizeof end);
    if (!longer) {
        free(text);
        return NULL;
    }
    char *at = longer + *size - 1; /* over the bracket */
    memcpy(at, start, sizeof start - 1);
    at += sizeof start - 1;
    at += EVP_EncodeBlock((unsigned char *)at, body, (int)body_bytes);
    memcpy(at, end, sizeof end);
    *size = (size_t)(at - longer) + sizeof end - 1;
    return longer;
}

char *event_write(json_t *event, const struct event_body *body, size_t *size)
{
    json_t *text_body = body->is_text ? json_stringn(body->data, body->size) : NULL;
    int is_base64 = body->size > 0 && !text_body; /* also what is not UTF-8 after all */
    if (!is_base64) {
        json_object_set_new(event, "isBase64Encoded", json_false());
        if (text_body || body->says_none)
            json_object_set_new(event, "body", text_body ? text_body : json_null());
    }
    char *text = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    *size = text ? strlen(text) : 0;
    return text && is_base64 ? append_base64(text, body->data, body->size, size) : text;
}

char *event_create(const struct event_request *r, size_t *size)
{
    json_t *event = json_object();
    if (r->is_http_api)
        json_object_set_new(event, "version", json_string("1.0"));
    json_object_set_new(event, "resource", copy_of(r->match->resource, "path"));
    json_object_set_new(event, "path", event_text(r->path));
    json_object_set_new(event, "httpMethod", event_text(r->method));
    add_headers(event, r);
    add_query(event, r);
    add_path_parameters(event, r);
    add_context(event, r);
    struct event_body body = {.data = r->body, .size = r->body_bytes, .says_none = 1};
    body.is_text = body.size > 0 && !is_binary(r) && !memchr(body.data, 0, body.size);
    return event_write(event, &body, size);
}
