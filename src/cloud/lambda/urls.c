#include "base/random.h"
#include "cloud/apigateway/cors.h"
#include "cloud/lambda/configuration.h"
#include "cloud/lambda/service.h"
#include "cloud/lambda/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Function URLs: record["Urls"][QUALIFIER] is {"UrlId", "AuthType", "Cors", "CreationTime",
 * "LastModifiedTime"}. The requests are API Gateway's affair. */

enum { URL_ID_LENGTH = 32, MAX_AGE_S = 86400 };

static json_t *make_url(const struct lambda *lambda, const char *id)
{
    char name[128], url[REST_URL_BYTES];
    snprintf(name, sizeof name, "%s.lambda-url.%.32s.localhost", id, lambda->cloud->region);
    rest_host_url(lambda->cloud->endpoint, name, url);
    return json_sprintf("%s/", url);
}

static json_t *show(const struct lambda *lambda, const char *name, const char *qualifier,
                    const json_t *config)
{
    char arn[FUNCTION_ARN_BYTES];
    json_t *copy = json_deep_copy(config);
    lambda_function_arn(lambda, name, strcmp(qualifier, "$LATEST") == 0 ? "" : qualifier, arn);
    json_object_set_new(copy, "FunctionArn", json_string(arn));
    json_object_set_new(copy, "InvokeMode", json_string("BUFFERED"));
    json_object_set_new(copy, "FunctionUrl",
                        make_url(lambda, json_string_value(json_object_get(config, "UrlId"))));
    json_object_del(copy, "UrlId");
    return copy;
}

/* A URL is of the function itself or of an alias, not of a version. 0: the error is answered. */
static int is_qualifier(struct exchange *x, const char *qualifier)
{
    if (!function_qualifier_is_version(qualifier) && strcmp(qualifier, "$LATEST") != 0)
        return 1;
    exchange_fail(x, "ValidationException",
                  "1 validation error detected: Value '%s' at 'qualifier' failed to satisfy "
                  "constraint: Member must satisfy regular expression pattern: "
                  "((?!^\\d+$)^[0-9a-zA-Z-_]+$)",
                  qualifier);
    return 0;
}

static int check_qualifier(struct lambda_change *c)
{
    return is_qualifier(c->x, c->qualifier) ? lambda_check_qualifier(c) : -1;
}

static int check_request(struct lambda_change *c)
{
    struct err err = {0};
    const json_t *cors = json_object_get(c->request, "Cors");
    json_int_t age = json_integer_value(json_object_get(cors, "MaxAge"));
    const char *type = json_string_value(json_object_get(c->request, "AuthType"));
    const char *mode = json_string_value(json_object_get(c->request, "InvokeMode"));
    if (type && strcmp(type, "NONE") != 0 && strcmp(type, "AWS_IAM") != 0)
        exchange_fail(c->x, "ValidationException",
                      "1 validation error detected: Value '%.32s' at 'authType' failed to satisfy "
                      "constraint: Member must satisfy enum value set: [NONE, AWS_IAM]",
                      type);
    else if (mode && strcmp(mode, "RESPONSE_STREAM") == 0)
        exchange_fail(c->x, "InvalidParameterValueException",
                      "InvokeMode %.32s is not supported: ken cloud has BUFFERED", mode);
    else if (mode && strcmp(mode, "BUFFERED") != 0)
        exchange_fail(c->x, "ValidationException",
                      "1 validation error detected: Value '%.32s' at 'invokeMode' failed to "
                      "satisfy constraint: Member must satisfy enum value set: [RESPONSE_STREAM, "
                      "BUFFERED]",
                      mode);
    else if (age < 0 || age > MAX_AGE_S)
        exchange_fail(
            c->x, "ValidationException",
            "1 validation error detected: Value '%lld' at 'cors.maxAge' failed to satisfy "
            "constraint: Member must have value %s than or equal to %d",
            (long long)age, age < 0 ? "greater" : "less", age < 0 ? 0 : MAX_AGE_S);
    else if (cors && !json_is_null(cors) && http_cors_check(cors, &err) < 0)
        lambda_fail_err(c->x, &err);
    else
        return check_qualifier(c);
    return -1;
}

static void take(struct lambda_change *c, json_t *config)
{
    char time[CONFIGURATION_TIME_BYTES];
    json_t *type = json_object_get(c->request, "AuthType");
    json_t *cors = json_object_get(c->request, "Cors");
    configuration_time(time);
    if (json_is_string(type))
        json_object_set(config, "AuthType", type);
    if (json_object_size(cors))
        json_object_set(config, "Cors", cors);
    else if (cors)
        json_object_del(config, "Cors");
    json_object_set_new(config, "LastModifiedTime", json_string(time));
    c->reply = show(c->lambda, c->name, *c->qualifier ? c->qualifier : "$LATEST", config);
}

static int create(struct lambda_change *c)
{
    char id[URL_ID_LENGTH + 1], time[CONFIGURATION_TIME_BYTES];
    if (check_request(c) < 0)
        return -1;
    if (!json_is_string(json_object_get(c->request, "AuthType"))) {
        exchange_fail(c->x, "InvalidParameterValueException", "AuthType is needed");
        return -1;
    }
    if (lambda_part(c->record, "Urls", c->qualifier)) {
        char arn[FUNCTION_ARN_BYTES];
        lambda_function_arn(c->lambda, c->name, c->qualifier, arn);
        exchange_fail(c->x, "ResourceConflictException",
                      "Failed to create function url config for [functionArn = %s]. Error message: "
                      " FunctionUrlConfig exists for this Lambda function",
                      arn);
        return -1;
    }
    random_text(id, URL_ID_LENGTH, RANDOM_LOWER);
    configuration_time(time);
    json_t *config = json_pack("{s:s, s:s}", "UrlId", id, "CreationTime", time);
    lambda_set_part(c->record, "Urls", c->qualifier, config);
    take(c, config);
    c->status = 201;
    return 0;
}

static int fail_absent(struct lambda *lambda, struct exchange *x, const char *name,
                       const char *qualifier)
{
    (void)lambda, (void)name, (void)qualifier;
    lambda_fail_resource(x, "The resource you requested does not exist.");
    return -1;
}

static int update(struct lambda_change *c)
{
    json_t *config = lambda_part(c->record, "Urls", c->qualifier);
    if (check_request(c) < 0)
        return -1;
    if (!config)
        return fail_absent(c->lambda, c->x, c->name, c->qualifier);
    take(c, config);
    return 0;
}

static int delete_url(struct lambda_change *c)
{
    const char *qualifier = *c->qualifier ? c->qualifier : "$LATEST";
    if (!is_qualifier(c->x, c->qualifier))
        return -1;
    return json_object_del(json_object_get(c->record, "Urls"), qualifier) == 0
               ? 0
               : fail_absent(c->lambda, c->x, c->name, qualifier);
}

void lambda_create_url(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, create);
}

void lambda_update_url(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, update);
}

void lambda_delete_url(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, delete_url);
}

static const struct lambda_parts url_parts = {"Urls", "FunctionUrlConfigs", show, fail_absent};

void lambda_get_url(void *self, struct rest_call *call)
{
    const char *qualifier = exchange_query(call->x, "Qualifier");
    if (!qualifier || is_qualifier(call->x, qualifier))
        lambda_get_part(self, call, &url_parts);
}

void lambda_list_urls(void *self, struct rest_call *call)
{
    lambda_list_parts(self, call, &url_parts);
}

/* For requests. */

int lambda_url_find(struct lambda *lambda, const char *id, struct lambda_url *out)
{
    *out = (struct lambda_url){0};
    out->function = registry_find_url(lambda->registry, id, &out->qualifier);
    if (!out->function)
        return -1;
    const char *qualifier = strcmp(out->qualifier, "$LATEST") == 0 ? "" : out->qualifier;
    out->config = lambda_part(out->function->record, "Urls", out->qualifier);
    out->policy = lambda_part(out->function->record, "Policies", out->qualifier);
    lambda_function_arn(lambda, out->function->name, qualifier, out->arn);
    return 0;
}

void lambda_url_release(struct lambda_url *url)
{
    function_release(url->function);
    url->function = NULL;
}
