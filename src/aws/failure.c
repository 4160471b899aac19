#include "aws/client.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Error answers of the services: XML of S3, IAM and the query protocols, JSON of the others.
 * https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html#operation-error-serialization */

static void put_line(char *out, size_t out_bytes, const char *text, size_t size)
{
    size_t n = size < out_bytes - 1 ? size : out_bytes - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)((unsigned char)text[i] < ' ' ? ' ' : text[i]);
    out[n] = 0;
}

/* Entities become what they stand for, in place. */
static void unescape(char *text)
{
    static const struct {
        const char *entity;
        char plain;
    } entities[] = {{"&lt;", '<'},    {"&gt;", '>'},  {"&amp;", '&'}, {"&quot;", '"'},
                    {"&apos;", '\''}, {"&#34;", '"'}, {"&#39;", '\''}};
    char *next = text;
    for (const char *at = text; *at;) {
        size_t taken = 0;
        for (size_t i = 0; !taken && *at == '&' && i < sizeof entities / sizeof *entities; i++) {
            size_t length = strlen(entities[i].entity);
            if (strncmp(at, entities[i].entity, length) == 0) {
                *next++ = entities[i].plain;
                taken = length;
            }
        }
        if (!taken)
            *next++ = *at;
        at += taken ? taken : 1;
    }
    *next = 0;
}

/* The text between the first <name> and the next tag. */
static void from_xml(const char *body, const char *name, char *out, size_t out_bytes)
{
    char tag[32];
    snprintf(tag, sizeof tag, "<%s>", name);
    const char *start = strstr(body, tag);
    if (!start)
        return;
    start += strlen(tag);
    put_line(out, out_bytes, start, strcspn(start, "<"));
    unescape(out);
}

/* "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", or "Name:http://...": the name. */
static void put_type(struct aws_failure *failure, const char *type)
{
    const char *hash = strchr(type, '#');
    const char *name = hash ? hash + 1 : type;
    put_line(failure->code, sizeof failure->code, name, strcspn(name, ":"));
}

static void from_json(const struct http_response *response, struct aws_failure *failure)
{
    json_t *answer = json_loadb(response->body.data, response->body.size, 0, NULL);
    const json_t *listed =
        json_array_get(json_object_get(answer, "errors"), 0); /* OCI registries */
    const json_t *root = listed ? listed : answer;
    const char *type = json_string_value(json_object_get(root, "__type"));
    const char *message = json_string_value(json_object_get(root, "message"));
    if (!type)
        type = json_string_value(json_object_get(root, "code"));
    if (!message)
        message = json_string_value(json_object_get(root, "Message"));
    if (type && !*failure->code)
        put_type(failure, type);
    if (message)
        put_line(failure->message, sizeof failure->message, message, strlen(message));
    json_decref(answer);
}

void aws_failure_read(const struct http_response *response, struct aws_failure *failure)
{
    char type[256];
    *failure = (struct aws_failure){.status = response->status};
    if (http_response_header(response, "x-amzn-ErrorType", type, sizeof type) > 0)
        put_type(failure, type);
    const char *body = response->body.data ? response->body.data : "";
    const char *start = body + strspn(body, " \t\r\n");
    if (*start == '<') {
        from_xml(start, "Code", failure->code, sizeof failure->code);
        from_xml(start, "Message", failure->message, sizeof failure->message);
    } else if (*start == '{') {
        from_json(response, failure);
    }
}

static int is_one_of(const char *code, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(code, *list) == 0)
            return 1;
    return 0;
}

enum err_code aws_failure_kind(const struct aws_failure *failure)
{
    static const char *const absent[] = {"ResourceNotFoundException",
                                         "NotFoundException",
                                         "NoSuchEntity",
                                         "NoSuchKey",
                                         "NoSuchBucket",
                                         "RepositoryNotFoundException",
                                         NULL};
    static const char *const exists[] = {"BucketAlreadyExists",
                                         "BucketAlreadyOwnedByYou",
                                         "ResourceConflictException",
                                         "ResourceInUseException",
                                         "EntityAlreadyExists",
                                         "ConflictException",
                                         NULL};
    static const char *const busy[] = {"ThrottlingException",
                                       "Throttling",
                                       "SlowDown",
                                       "RequestLimitExceeded",
                                       "TooManyRequestsException",
                                       "ProvisionedThroughputExceededException",
                                       NULL};
    /* 400 from DynamoDB and others, 403 elsewhere */
    static const char *const denied[] = {
        "AccessDeniedException",     "UnrecognizedClientException",
        "InvalidSignatureException", "MissingAuthenticationTokenException",
        "ExpiredTokenException",     NULL};
    if (is_one_of(failure->code, denied))
        return ERR_DENIED;
    if (is_one_of(failure->code, absent))
        return ERR_NOT_FOUND;
    if (is_one_of(failure->code, exists))
        return ERR_EXISTS;
    if (is_one_of(failure->code, busy) || failure->status == 429)
        return ERR_BUSY;
    if (failure->status == 404)
        return ERR_NOT_FOUND;
    if (failure->status == 401 || failure->status == 403)
        return ERR_DENIED;
    if (failure->status == 409)
        return ERR_EXISTS;
    if (failure->status == 413)
        return ERR_TOO_BIG;
    if (failure->status == 501)
        return ERR_UNSUPPORTED;
    return failure->status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID;
}
