#include "aws/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *parse_answer(const char *operation, const struct http_response *response,
                            struct err *err)
{
    const char *body = response->body.data ? response->body.data : "";
    if (strspn(body, " \t\r\n") == response->body.size)
        return json_object();
    json_error_t problem;
    json_t *root = json_loadb(body, response->body.size, 0, &problem);
    if (!root)
        err_set(err, ERR_CORRUPT, "%s: the answer is no JSON: %s", operation, problem.text);
    return root;
}

json_t *aws_json_send(struct aws_client *client, const struct aws_request *request, json_t *body,
                      struct err *err)
{
    static const struct http_header type = {"Content-Type", "application/json"};
    struct http_response *response = aws_client_scratch(client);
    struct aws_request with_body = *request;
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int failed = body && !text;
    json_decref(body);
    if (failed) {
        err_set(err, ERR_NO_MEMORY, "%s: out of memory", request->operation);
        return NULL;
    }
    if (text) {
        with_body.body = text;
        with_body.body_bytes = strlen(text);
        with_body.headers = &type;
        with_body.header_count = 1;
    }
    int done = aws_client_send(client, &with_body, response, err);
    free(text);
    return done < 0 ? NULL : parse_answer(request->operation, response, err);
}

json_t *aws_json_target(struct aws_client *client, enum aws_service service, const char *prefix,
                        const char *operation, const char *body, struct err *err)
{
    char target[128];
    snprintf(target, sizeof target, "%s.%s", prefix, operation);
    const char *type =
        service == AWS_ECR ? "application/x-amz-json-1.1" : "application/x-amz-json-1.0";
    const struct http_header headers[] = {{"Content-Type", type}, {"X-Amz-Target", target}};
    struct aws_request request = {
        .service = service,
        .operation = operation,
        .method = "POST",
        .headers = headers,
        .header_count = 2,
        .body = body,
        .body_bytes = strlen(body),
    };
    struct http_response *response = aws_client_scratch(client);
    if (aws_client_send(client, &request, response, err) < 0)
        return NULL;
    return parse_answer(operation, response, err);
}

const char *aws_json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}
