#include "base/random.h"
#include "cloud/lambda/invoke.h"
#include "cloud/lambda/output.h"
#include "cloud/lambda/service.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The Invoke operation. */

enum { MAX_CONTEXT_BYTES = 3583 }; /* of X-Amz-Client-Context, as on AWS */

static void reply_log_tail(struct exchange *x, const char *tail)
{
    unsigned char text[OUTPUT_TAIL_BYTES * 4 / 3 + 8];
    size_t size = strlen(tail);
    EVP_EncodeBlock(text, (const unsigned char *)tail,
                    (int)(size < OUTPUT_TAIL_BYTES ? size : OUTPUT_TAIL_BYTES));
    exchange_reply_header(x, "X-Amz-Log-Result", (const char *)text);
}

static void reply_refusal(struct exchange *x, const struct lambda_result *result)
{
    const struct error_field reason = {"Reason", result->error_reason};
    if (result->status == 429)
        exchange_reply_header(x, "Retry-After", "1");
    if (result->error_reason)
        exchange_fail_fields(x, result->error_type, result->error_message, &reason, 1);
    else
        exchange_fail_status(x, result->status, result->error_type, result->error_message);
}

/* Runs on the manager's thread. */
static void on_done(void *context, const struct lambda_result *result)
{
    struct exchange *x = context;
    const char *log_type = exchange_header(x, "X-Amz-Log-Type");
    if (result->status != 200) {
        reply_refusal(x, result);
    } else {
        if (result->function_error)
            exchange_reply_header(x, "X-Amz-Function-Error", result->function_error);
        if (result->log_tail && log_type && strcasecmp(log_type, "Tail") == 0)
            reply_log_tail(x, result->log_tail);
        exchange_reply_header(x, "X-Amz-Executed-Version",
                              result->executed_version ? result->executed_version : "$LATEST");
        exchange_respond(x, 200, "application/json", result->payload, result->payload_bytes);
    }
    exchange_resume(x);
}

/* Lambda's functions are given JSON. Returns -1 when an error was answered. */
static int check_payload(struct exchange *x, const char *payload, size_t size, int is_event)
{
    json_error_t error;
    size_t most = is_event ? LAMBDA_MAX_EVENT_BYTES : LAMBDA_MAX_PAYLOAD_BYTES;
    if (size > most) {
        exchange_fail_status(
            x, 413, "RequestTooLargeException",
            arena_printf(&x->arena,
                         "%zu byte payload is too large for the %s invocation type (limit %zu "
                         "bytes)",
                         size, is_event ? "Event" : "RequestResponse", most));
        return -1;
    }
    json_t *value = json_loadb(payload, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    json_decref(value);
    if (value)
        return 0;
    exchange_fail_status(
        x, 400, "InvalidRequestContentException",
        arena_printf(&x->arena,
                     "Could not parse request body into json: Could not parse payload into json: "
                     "%s",
                     error.text));
    return -1;
}

/* What the caller tells of itself, in base64, goes to the function decoded. NULL: nothing, or the
 * error is answered (`*failed`). */
static const char *client_context(struct exchange *x, int *failed)
{
    const char *text = exchange_header(x, "X-Amz-Client-Context");
    size_t size = text ? strlen(text) : 0;
    *failed = 0;
    if (!size)
        return NULL;
    char *out = size <= MAX_CONTEXT_BYTES && size % 4 == 0 ? arena_alloc(&x->arena, size, 1) : NULL;
    int decoded =
        out ? EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text, (int)size) : -1;
    if (decoded >= 0) {
        decoded -= (text[size - 1] == '=') + (text[size - 2] == '=');
        out[decoded] = 0;
        json_t *value = json_loads(out, 0, NULL);
        char *line = json_is_object(value) ? json_dumps(value, JSON_COMPACT) : NULL;
        out = line ? arena_strdup(&x->arena, line) : NULL;
        free(line);
        json_decref(value);
    }
    *failed = decoded < 0 || !out;
    if (*failed)
        exchange_fail(x, "InvalidRequestContentException",
                      "Client context must be a valid Base64-encoded JSON object.");
    return *failed ? NULL : out;
}

static int refuse_headers(struct exchange *x)
{
    static const char *const names[] = {"X-Amz-Tenant-Id", "X-Amz-Durable-Execution-Name"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (exchange_header(x, names[i])) {
            exchange_fail(x, "InvalidParameterValueException", "%s is not supported", names[i]);
            return -1;
        }
    return 0;
}

static int check_log_type(struct exchange *x)
{
    const char *type = exchange_header(x, "X-Amz-Log-Type");
    if (!type || strcmp(type, "None") == 0 || strcmp(type, "Tail") == 0)
        return 0;
    exchange_fail(x, "ValidationException",
                  "1 validation error detected: Value '%.64s' at 'logType' failed to satisfy "
                  "constraint: Member must satisfy enum value set: [Tail, None]",
                  type);
    return -1;
}

/* NULL: answered. */
static const char *read_payload(struct exchange *x, size_t *size, int is_event)
{
    struct err err = {0};
    const char *payload = x->body.size ? exchange_body(x, &err) : "{}";
    *size = x->body.size ? x->body.size : 2;
    if (!payload)
        exchange_fail_err(x, &err);
    return payload && check_payload(x, payload, *size, is_event) == 0 ? payload : NULL;
}

static void queue(struct lambda *lambda, struct exchange *x, const struct lambda_target *target,
                  const char *answer)
{
    struct err err = {0};
    size_t size;
    const char *payload = read_payload(x, &size, 1);
    if (!payload)
        return;
    if (lambda_put_event(lambda, target, x->request_id, payload, size, &err) < 0)
        lambda_fail_err(x, &err);
    else
        exchange_respond(x, 202, "application/json", answer, strlen(answer));
}

static void run(struct lambda *lambda, struct exchange *x, const struct lambda_target *target)
{
    int failed;
    size_t size;
    const char *payload = read_payload(x, &size, 0);
    if (!payload)
        return;
    const char *context = client_context(x, &failed);
    if (failed)
        return;
    exchange_defer(x);
    manager_invoke(lambda->manager,
                   &(struct manager_request){.client_context = context,
                                             .function = target->function,
                                             .latest = target->latest,
                                             .arn = *target->qualifier ? target->arn : NULL,
                                             .request_id = x->request_id,
                                             .payload = payload,
                                             .payload_bytes = size,
                                             .done = on_done,
                                             .context = x});
}

void lambda_invoke_function(void *self, struct rest_call *call)
{
    struct exchange *x = call->x;
    const char *type = exchange_header(x, "X-Amz-Invocation-Type");
    struct lambda_target target;
    if (refuse_headers(x) < 0 || check_log_type(x) < 0 || lambda_open(self, call, &target) < 0)
        return;
    if (!type || strcmp(type, "RequestResponse") == 0)
        run(self, x, &target);
    else if (strcmp(type, "Event") == 0)
        queue(self, x, &target, "");
    else if (strcmp(type, "DryRun") == 0)
        exchange_respond(x, 204, NULL, NULL, 0);
    else
        exchange_fail(x, "ValidationException",
                      "1 validation error detected: Value '%.64s' at 'invocationType' failed to "
                      "satisfy constraint: Member must satisfy enum value set: [Event, "
                      "RequestResponse, DryRun]",
                      type);
    lambda_release(&target);
}

/* What Event was before it was a type of Invoke; old clients know it. */
void lambda_invoke_async(void *self, struct rest_call *call)
{
    struct lambda_target target;
    if (lambda_open(self, call, &target) < 0)
        return;
    queue(self, call->x, &target, "{\"Status\":202}");
    lambda_release(&target);
}

/* From inside the cloud. */

static void refuse(lambda_done *done, void *context, const char *function)
{
    char text[256];
    snprintf(text, sizeof text, "Function not found: %.128s", function);
    done(context, &(struct lambda_result){.status = 404,
                                          .error_type = "ResourceNotFoundException",
                                          .error_message = text});
}

void lambda_invoke(struct lambda *lambda, const char *function, const void *payload,
                   size_t payload_bytes, lambda_done *done, void *context)
{
    struct err err;
    char request_id[RANDOM_UUID_BYTES];
    struct lambda_target target;
    if (lambda_resolve(lambda, function, NULL, &target, &err) < 0) {
        refuse(done, context, function);
        return;
    }
    random_uuid(request_id);
    manager_invoke(lambda->manager,
                   &(struct manager_request){.function = target.function,
                                             .latest = target.latest,
                                             .arn = *target.qualifier ? target.arn : NULL,
                                             .request_id = request_id,
                                             .payload = payload,
                                             .payload_bytes = payload_bytes,
                                             .done = done,
                                             .context = context});
    lambda_release(&target);
}
