#include "cloud/apigateway/response.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int malformed(struct err *err, const char *what)
{
    return err_set(err, ERR_INVALID, "malformed proxy response: %s", what);
}

static int is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, names[i]) == 0)
            return 1;
    return 0;
}

/* The body's length and the connection are the server's affair. */
static int is_servers_own(const char *name)
{
    static const char *const own[] = {"Transfer-Encoding", "Keep-Alive", "Proxy-Connection"};
    return is_one_of(name, own, sizeof own / sizeof *own);
}

/* These go out as "x-amzn-Remapped-NAME", as AWS does it: a browser must not take them for the
 * gateway's. */
static int is_remapped(const char *name)
{
    static const char *const names[] = {"Authorization",
                                        "Connection",
                                        "Content-Length",
                                        "Content-MD5",
                                        "Date",
                                        "Expect",
                                        "Host",
                                        "Max-Forwards",
                                        "Server",
                                        "TE",
                                        "Proxy-Authenticate",
                                        "Trailer",
                                        "Upgrade",
                                        "User-Agent",
                                        "Via",
                                        "Warn",
                                        "WWW-Authenticate"};
    return is_one_of(name, names, sizeof names / sizeof *names);
}

static char *outer_name(const char *name)
{
    static const char prefix[] = "x-amzn-Remapped-";
    size_t size = sizeof prefix + strlen(name);
    char *out = is_remapped(name) ? malloc(size) : strdup(name);
    if (out && is_remapped(name))
        snprintf(out, size, "%s%s", prefix, name);
    return out;
}

static int is_token(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "!#$%&'*+-.^_`|~";
    return *name && !name[strspn(name, allowed)];
}

/* Texts as they are, numbers and booleans as JSON writes them; NULL for the rest. malloc()ed. */
static char *header_value(const json_t *value)
{
    if (json_is_number(value) || json_is_boolean(value))
        return json_dumps(value, JSON_ENCODE_ANY);
    const char *text = json_string_value(value);
    if (!text || strlen(text) != json_string_length(value) ||
        json_string_length(value) > RESPONSE_MAX_HEADER_BYTES)
        return NULL;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 && *c != '\t')
            return NULL;
    return strdup(text);
}

static int add_header(struct proxy_response *out, const char *name, const json_t *value,
                      struct err *err)
{
    char *text = header_value(value);
    if (!text || !is_token(name) || strlen(name) > RESPONSE_MAX_HEADER_BYTES) {
        free(text);
        return malformed(err, "a header that is no text");
    }
    if (is_servers_own(name)) {
        free(text);
        return 0;
    }
    if (strcasecmp(name, "Content-Type") == 0) {
        free(out->content_type);
        out->content_type = text;
        return 0;
    }
    if (out->header_count == RESPONSE_MAX_HEADERS) {
        free(text);
        return malformed(err, "too many headers");
    }
    struct proxy_header *header = &out->headers[out->header_count++];
    *header = (struct proxy_header){outer_name(name), text};
    return header->name ? 0 : err_set(err, ERR_NO_MEMORY, "read proxy response: no memory");
}

static int read_multi_headers(struct proxy_response *out, json_t *headers, struct err *err)
{
    const char *name;
    json_t *values, *value;
    size_t i;
    if (headers && !json_is_object(headers) && !json_is_null(headers))
        return malformed(err, "multiValueHeaders is no object");
    json_object_foreach(headers, name, values)
    {
        if (!json_is_array(values))
            return malformed(err, "a value in multiValueHeaders is no list");
        json_array_foreach(values, i, value)
        {
            if (add_header(out, name, value, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* A name in both places keeps its values of multiValueHeaders. */
static int has_name(const json_t *object, const char *wanted)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (strcasecmp(name, wanted) == 0)
            return 1;
    }
    return 0;
}

static int read_headers(struct proxy_response *out, json_t *headers, const json_t *multi,
                        struct err *err)
{
    const char *name;
    json_t *value;
    if (headers && !json_is_object(headers) && !json_is_null(headers))
        return malformed(err, "headers is no object");
    json_object_foreach(headers, name, value)
    {
        if (!has_name(multi, name) && add_header(out, name, value, err) < 0)
            return -1;
    }
    return 0;
}

/* A number, or digits in a text. */
static int read_status(struct proxy_response *out, const json_t *value, struct err *err)
{
    json_int_t status = value ? json_integer_value(value) : 200;
    const char *text = json_string_value(value);
    char *end = NULL;
    if (text)
        status = strtol(text, &end, 10);
    if ((value && !json_is_integer(value) && !text) || (text && (end == text || *end)) ||
        status < 200 || status > 599)
        return malformed(err, "statusCode is no HTTP status");
    out->status = (int)status;
    return 0;
}

static int decode_base64(struct proxy_response *out, const char *text, size_t size, struct err *err)
{
    if (size % 4 != 0)
        return malformed(err, "body is not base64");
    int decoded =
        size ? EVP_DecodeBlock((unsigned char *)out->body, (const unsigned char *)text, (int)size)
             : 0;
    if (decoded < 0)
        return malformed(err, "body is not base64");
    out->body_bytes = (size_t)decoded;
    if (size)
        out->body_bytes -= (size_t)(text[size - 1] == '=') + (size_t)(text[size - 2] == '=');
    return 0;
}

static int read_body(struct proxy_response *out, const json_t *body, int is_base64, struct err *err)
{
    if (body && !json_is_string(body) && !json_is_null(body))
        return malformed(err, "body is no text");
    const char *text = json_is_string(body) ? json_string_value(body) : "";
    size_t size = json_string_length(body);
    out->body = malloc(size + 4);
    if (!out->body)
        return err_set(err, ERR_NO_MEMORY, "read proxy response: no memory");
    if (is_base64)
        return decode_base64(out, text, size, err);
    memcpy(out->body, text, size);
    out->body_bytes = size;
    return 0;
}

static int check_fields(const json_t *response, struct err *err)
{
    static const char *const known[] = {"statusCode", "headers", "multiValueHeaders", "body",
                                        "isBase64Encoded"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)response, name, value)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(name, known[i]) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            return malformed(err, "a field that does not belong there");
    }
    return 0;
}

static int read_all(struct proxy_response *out, json_t *response, struct err *err)
{
    json_t *multi = json_object_get(response, "multiValueHeaders");
    json_t *is_base64 = json_object_get(response, "isBase64Encoded");
    if (is_base64 && !json_is_boolean(is_base64) && !json_is_null(is_base64))
        return malformed(err, "isBase64Encoded is neither true nor false");
    if (check_fields(response, err) < 0 ||
        read_status(out, json_object_get(response, "statusCode"), err) < 0 ||
        read_multi_headers(out, multi, err) < 0 ||
        read_headers(out, json_object_get(response, "headers"), multi, err) < 0 ||
        read_body(out, json_object_get(response, "body"), json_is_true(is_base64), err) < 0)
        return -1;
    if (!out->content_type)
        out->content_type = strdup("application/json");
    return out->content_type ? 0 : err_set(err, ERR_NO_MEMORY, "read proxy response: no memory");
}

int proxy_response_parse(const char *text, size_t size, struct proxy_response *out, struct err *err)
{
    memset(out, 0, sizeof *out);
    json_t *response = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
    int result = json_is_object(response) ? read_all(out, response, err)
                                          : malformed(err, "it is no JSON object");
    json_decref(response);
    if (result < 0)
        proxy_response_finish(out);
    return result;
}

static int read_cookies(struct proxy_response *out, const json_t *cookies, struct err *err)
{
    size_t i;
    json_t *cookie;
    if (cookies && !json_is_array(cookies) && !json_is_null(cookies))
        return malformed(err, "cookies is no list");
    json_array_foreach(cookies, i, cookie)
    {
        if (add_header(out, "Set-Cookie", cookie, err) < 0)
            return -1;
    }
    return 0;
}

/* Other fields are nobody's business here. */
static int read_all_v2(struct proxy_response *out, json_t *response, struct err *err)
{
    json_t *is_base64 = json_object_get(response, "isBase64Encoded");
    if (read_status(out, json_object_get(response, "statusCode"), err) < 0 ||
        read_headers(out, json_object_get(response, "headers"), NULL, err) < 0 ||
        read_cookies(out, json_object_get(response, "cookies"), err) < 0)
        return -1;
    return read_body(out, json_object_get(response, "body"), json_is_true(is_base64), err);
}

/* A text is the body itself, everything else its JSON. */
static int read_bare(struct proxy_response *out, const json_t *response, const char *text,
                     size_t size, struct err *err)
{
    const char *body = json_is_string(response) ? json_string_value(response) : text;
    out->status = 200;
    out->body_bytes = json_is_string(response) ? json_string_length(response) : size;
    out->body = malloc(out->body_bytes + 1);
    if (!out->body)
        return err_set(err, ERR_NO_MEMORY, "read proxy response: no memory");
    memcpy(out->body, body, out->body_bytes);
    out->body[out->body_bytes] = 0;
    return 0;
}

int proxy_response_parse_v2(const char *text, size_t size, struct proxy_response *out,
                            struct err *err)
{
    memset(out, 0, sizeof *out);
    json_t *response = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    int result = !response ? malformed(err, "it is no JSON")
                 : json_object_get(response, "statusCode")
                     ? read_all_v2(out, response, err)
                     : read_bare(out, response, text, size, err);
    json_decref(response);
    if (result == 0 && !out->content_type && !(out->content_type = strdup("application/json")))
        result = err_set(err, ERR_NO_MEMORY, "read proxy response: no memory");
    if (result < 0)
        proxy_response_finish(out);
    return result;
}

void proxy_response_finish(struct proxy_response *response)
{
    for (size_t i = 0; i < response->header_count; i++) {
        free(response->headers[i].name);
        free(response->headers[i].value);
    }
    free(response->content_type);
    free(response->body);
    memset(response, 0, sizeof *response);
}
