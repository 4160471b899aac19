#include "aws/iam.h"

#include "aws/form.h"
#include "base/clock.h"

#include <string.h>

#define TRUST                                                                                      \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":"              \
    "{\"Service\":\"lambda.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}]}"

enum { SPREAD_S = 10 };

static int call(struct aws_client *client, const char *action, const struct aws_form_field *fields,
                struct err *err)
{
    const struct aws_form form = {AWS_IAM, "2010-05-08", action, fields};
    return aws_form_send(client, &form, err);
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
    const struct aws_form_field get[] = {{"RoleName", name}, {NULL, NULL}};
    const struct aws_form_field create[] = {
        {"RoleName", name}, {"AssumeRolePolicyDocument", TRUST}, {NULL, NULL}};
    const struct aws_form_field policy[] = {{"RoleName", name},
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
