#include "base/clock.h"
#include "cloud/deliver.h"
#include "cloud/lambda/service.h"

#include <string.h>

/* EventInvokeConfig: how often an event is tried, how old it may get, and who is told of its end.
 */

enum { MIN_AGE_S = 60 };

const char *lambda_destination(const json_t *config, const char *name)
{
    const json_t *destinations = json_object_get(config, "DestinationConfig");
    const char *arn =
        json_string_value(json_object_get(json_object_get(destinations, name), "Destination"));
    return arn && *arn ? arn : NULL;
}

int lambda_check_destination(struct lambda *lambda, const char *arn, int functions, struct err *err)
{
    static const char *const kinds[] = {"arn:aws:sqs:", "arn:aws:sns:", "arn:aws:lambda:"};
    size_t known = functions ? 3 : 2, i = 0;
    while (i < known && strncmp(arn, kinds[i], strlen(kinds[i])) != 0)
        i++;
    if (i == known)
        return err_set(err, ERR_INVALID,
                       "The target ARN %.256s is not supported: ken cloud takes SQS queues, SNS "
                       "topics%s",
                       arn, functions ? " and functions" : "");
    size_t size = strlen(arn);
    if (size > 5 && strcmp(arn + size - 5, ".fifo") == 0)
        return err_set(err, ERR_INVALID,
                       "The target ARN %.256s is a FIFO one: only standard queues and topics are "
                       "supported",
                       arn);
    if (cloud_check_target(lambda->cloud, arn, err) == 0)
        return 0;
    return err_set(err, ERR_INVALID, "The destination ARN %.256s is invalid.", arn);
}

static json_t *show_config(const struct lambda *lambda, const char *name, const char *qualifier,
                           const json_t *config)
{
    char arn[FUNCTION_ARN_BYTES];
    json_t *copy = json_deep_copy(config);
    lambda_function_arn(lambda, name, *qualifier ? qualifier : "$LATEST", arn);
    json_object_set_new(copy, "FunctionArn", json_string(arn));
    return copy;
}

static int check_number(struct exchange *x, const json_t *config, const char *name, int min,
                        int max)
{
    const json_t *value = json_object_get(config, name);
    json_int_t number = json_integer_value(value);
    if (!value || (json_is_integer(value) && number >= min && number <= max))
        return 0;
    exchange_fail(x, "ValidationException",
                  "1 validation error detected: Value '%lld' at '%c%s' failed to satisfy "
                  "constraint: Member must have value %s than or equal to %d",
                  (long long)number, name[0] | 0x20, name + 1, number < min ? "greater" : "less",
                  number < min ? min : max);
    return -1;
}

/* A function that is its own destination would go round for ever. */
static int is_own(const struct lambda_change *c, const char *arn, struct err *err)
{
    struct function_reference reference;
    if (strncmp(arn, "arn:aws:lambda:", 15) != 0 ||
        function_read_reference(arn, &reference, err) < 0 || strcmp(reference.name, c->name) != 0)
        return 0;
    err_set(err, ERR_INVALID, "You can't specify the function as a destination for itself.");
    return 1;
}

/* "arn:aws:SERVICE:.." at least */
static int is_arn(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
    size_t partition = strncmp(text, "arn:aws", 7) == 0 ? strspn(text + 4, letters) : 0;
    const char *service = partition && text[4 + partition] == ':' ? text + 5 + partition : "";
    size_t size = strspn(service, letters);
    return size > 0 && service[size] == ':';
}

/* What a destination can be on AWS. */
static int is_destination_kind(const char *arn)
{
    static const char *const kinds[] = {":lambda:", ":sns:", ":sqs:", ":events:", ":s3:"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(arn + strcspn(arn + 4, ":") + 4, kinds[i], strlen(kinds[i])) == 0)
            return 1;
    return 0;
}

static const char *show_destination(struct exchange *x, const char *kind, const char *arn)
{
    return arn ? arena_printf(&x->arena, "%s(destination=%s)", kind, arn) : "null";
}

static int check_arns(struct lambda_change *c, const json_t *config)
{
    static const char *const names[] = {"OnFailure", "OnSuccess"};
    const char *arns[2];
    int is_good = 1;
    for (size_t i = 0; i < 2; i++) {
        arns[i] = lambda_destination(config, names[i]);
        if (arns[i] && !is_arn(arns[i])) {
            exchange_fail(
                c->x, "ValidationException",
                "1 validation error detected: Value '%.256s' at "
                "'destinationConfig.%c%s.destination' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: ^$|"
                "arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:([a-z]{2}((-gov)|(-iso([a-z]?)))?"
                "-[a-z]+-\\d{1})?:(\\d{12})?:(.*)",
                arns[i], names[i][0] | 0x20, names[i] + 1);
            return -1;
        }
        is_good &= !arns[i] || is_destination_kind(arns[i]);
    }
    if (is_good)
        return 0;
    exchange_fail(c->x, "InvalidParameterValueException",
                  "The provided destination config DestinationConfig(onSuccess=%s, onFailure=%s) "
                  "is invalid.",
                  show_destination(c->x, "OnSuccess", arns[1]),
                  show_destination(c->x, "OnFailure", arns[0]));
    return -1;
}

static int check_config(struct lambda_change *c, const json_t *config)
{
    static const char *const names[] = {"OnSuccess", "OnFailure"};
    struct err err = {0};
    const char *name;
    json_t *value;
    if (lambda_check_qualifier(c) < 0 || check_arns(c, config) < 0)
        return -1;
    json_object_foreach(json_object_get(config, "DestinationConfig"), name, value)
    {
        if (strcmp(name, "OnSuccess") != 0 && strcmp(name, "OnFailure") != 0) {
            exchange_fail(c->x, "InvalidParameterValueException",
                          "DestinationConfig has OnSuccess and OnFailure, not %.64s", name);
            return -1;
        }
    }
    for (size_t i = 0; i < 2; i++) {
        const char *arn = lambda_destination(config, names[i]);
        if (arn &&
            (is_own(c, arn, &err) || lambda_check_destination(c->lambda, arn, 1, &err) < 0)) {
            lambda_fail_err(c->x, &err);
            return -1;
        }
    }
    if (check_number(c->x, config, "MaximumRetryAttempts", 0, LAMBDA_RETRIES) < 0)
        return -1;
    return check_number(c->x, config, "MaximumEventAgeInSeconds", MIN_AGE_S, LAMBDA_EVENT_AGE_S);
}

/* Both are shown, also one that is not there. */
static void complete_destinations(json_t *config)
{
    static const char *const names[] = {"OnSuccess", "OnFailure"};
    json_t *copy = json_deep_copy(json_object_get(config, "DestinationConfig"));
    if (!json_is_object(copy)) {
        json_decref(copy);
        copy = json_object();
    }
    for (size_t i = 0; i < 2; i++)
        if (!json_object_get(copy, names[i]))
            json_object_set_new(copy, names[i], json_object());
    json_object_set_new(config, "DestinationConfig", copy);
}

static int store_config(struct lambda_change *c, json_t *config)
{
    static const char *const fields[] = {"MaximumRetryAttempts", "MaximumEventAgeInSeconds",
                                         "DestinationConfig"};
    if (json_object_size(c->request) == 0) {
        json_decref(config);
        exchange_fail(c->x, "InvalidParameterValueException",
                      "You must specify at least one of error handling or destination setting.");
        return -1;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_t *value = json_object_get(c->request, fields[i]);
        if (value && !json_is_null(value))
            json_object_set(config, fields[i], value);
    }
    json_object_set_new(config, "LastModified", json_real((double)clock_unix_ms() / 1000));
    complete_destinations(config);
    lambda_set_part(c->record, "EventInvokeConfigs", c->qualifier, config);
    if (check_config(c, config) < 0)
        return -1;
    c->reply = show_config(c->lambda, c->name, c->qualifier, config);
    return 0;
}

static int put_config(struct lambda_change *c)
{
    return store_config(c, json_object());
}

static int fail_no_config(struct lambda *lambda, struct exchange *x, const char *name,
                          const char *qualifier)
{
    char arn[FUNCTION_ARN_BYTES];
    lambda_function_arn(lambda, name, *qualifier ? qualifier : "$LATEST", arn);
    lambda_fail_resource(
        x, arena_printf(&x->arena, "The function %s doesn't have an EventInvokeConfig", arn));
    return -1;
}

static int update_config(struct lambda_change *c)
{
    const json_t *config = lambda_part(c->record, "EventInvokeConfigs", c->qualifier);
    if (!config)
        return fail_no_config(c->lambda, c->x, c->name, c->qualifier);
    return store_config(c, json_deep_copy(config));
}

static int delete_config(struct lambda_change *c)
{
    json_t *configs = json_object_get(c->record, "EventInvokeConfigs");
    if (json_object_del(configs, *c->qualifier ? c->qualifier : "$LATEST") < 0)
        return fail_no_config(c->lambda, c->x, c->name, c->qualifier);
    return 0;
}

void lambda_put_event_config(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, put_config);
}

void lambda_update_event_config(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, update_config);
}

void lambda_delete_event_config(void *self, struct rest_call *call)
{
    lambda_run_change(self, call, delete_config);
}

static const struct lambda_parts configs = {"EventInvokeConfigs", "FunctionEventInvokeConfigs",
                                            show_config, fail_no_config};

void lambda_get_event_config(void *self, struct rest_call *call)
{
    lambda_get_part(self, call, &configs);
}

void lambda_list_event_configs(void *self, struct rest_call *call)
{
    lambda_list_parts(self, call, &configs);
}
