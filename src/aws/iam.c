#include "aws/iam.h"

#include "aws/uri.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* The query protocol: a form goes out, XML comes back.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html */

#define TRUST                                                                                      \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":"              \
    "{\"Service\":\"lambda.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}"

enum { FORM_ARENA_BYTES = 256 * 1024, SPREAD_S = 10 };

struct field {
    const char *name, *value;
};

/* Fields end with a NULL name. The answer is in the client's scratch response. */
static int call(struct aws_client *client, const char *action, const struct field *fields,
                struct err *err)
{
    static const struct http_header type = {"Content-Type",
                                            "application/x-www-form-urlencoded; charset=utf-8"};
    struct arena arena;
    arena_init(&arena, FORM_ARENA_BYTES);
    const char *form = arena_printf(&arena, "Action=%s&Version=2010-05-08", action);
    for (; form && fields->name; fields++) {
        const char *value = uri_encode(&arena, fields->value, strlen(fields->value), "");
        form = value ? arena_printf(&arena, "%s&%s=%s", form, fields->name, value) : NULL;
    }
    struct aws_request request = {.service = AWS_IAM,
                                  .operation = action,
                                  .method = "POST",
                                  .headers = &type,
                                  .header_count = 1,
                                  .body = form,
                                  .body_bytes = form ? strlen(form) : 0};
    int done = form ? aws_client_send(client, &request, aws_client_scratch(client), err)
                    : err_set(err, ERR_TOO_BIG, "%s: the policy is too long", action);
    arena_finish(&arena);
    return done;
}

/* The text of the first <Arn>. */
static int take_arn(struct aws_client *client, char arn[IAM_ARN_BYTES], struct err *err)
{
    const char *body = aws_client_scratch(client)->body.data;
    const char *start = body ? strstr(body, "<Arn>") : NULL;
    size_t length = start ? strcspn(start + 5, "<") : 0;
    if (length == 0 || length >= IAM_ARN_BYTES)
        return err_set(err, ERR_CORRUPT, "read role: the answer has no ARN");
    memcpy(arn, start + 5, length);
    arn[length] = 0;
    return 0;
}

int aws_iam_put_function_role(struct aws_client *client, const char *name, const char *policy_json,
                              char arn[IAM_ARN_BYTES], struct err *err)
{
    const struct field get[] = {{"RoleName", name}, {NULL, NULL}};
    const struct field create[] = {
        {"RoleName", name}, {"AssumeRolePolicyDocument", TRUST}, {NULL, NULL}};
    const struct field policy[] = {{"RoleName", name},
                                   {"PolicyName", "ken-function"},
                                   {"PolicyDocument", policy_json},
                                   {NULL, NULL}};
    int made = 0;
    if (call(client, "GetRole", get, err) < 0) {
        if (err->code != ERR_NOT_FOUND || call(client, "CreateRole", create, err) < 0)
            return err_wrap(err, "role %s", name);
        made = 1;
    }
    if (take_arn(client, arn, err) < 0 || call(client, "PutRolePolicy", policy, err) < 0)
        return err_wrap(err, "role %s", name);
    if (made && !aws_config_is_custom(aws_client_config(client), AWS_IAM))
        /* a new role takes seconds until all of AWS knows it */
        clock_sleep_until_ns(clock_monotonic_ns() + SPREAD_S * 1000000000ull);
    return made;
}
