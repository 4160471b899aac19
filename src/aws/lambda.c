#include "aws/lambda.h"

#include "aws/json.h"
#include "aws/uri.h"
#include "base/clock.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "/2015-03-31/functions"
enum { POLL_MS = 200, SEND_ZIP_MS = 300 * 1000, PATH_BYTES = 512 };

static int make_path(char path[PATH_BYTES], const char *name, const char *rest, struct err *err)
{
    struct arena arena;
    arena_init(&arena, 4096);
    const char *encoded = strlen(name) <= 140 ? uri_encode(&arena, name, strlen(name), "") : NULL;
    if (encoded)
        snprintf(path, PATH_BYTES, VERSION "/%s%s", encoded, rest);
    arena_finish(&arena);
    return encoded ? 0 : err_set(err, ERR_INVALID, "its name is too long");
}

static json_t *call(struct aws_client *client, const char *operation, const char *method,
                    const char *path, json_t *body, struct err *err)
{
    struct aws_request request = {.service = AWS_LAMBDA,
                                  .operation = operation,
                                  .method = method,
                                  .path = path,
                                  .timeout_ms = SEND_ZIP_MS};
    return aws_json_send(client, &request, body, err);
}

static json_t *get_configuration(struct aws_client *client, const char *name, struct err *err)
{
    char path[PATH_BYTES];
    if (make_path(path, name, "/configuration", err) < 0)
        return NULL;
    return call(client, "GetFunctionConfiguration", "GET", path, NULL, err);
}

/* 1: can be used and changed, 0: not yet, -1: it never will. */
static int settled(const json_t *configuration, struct err *err)
{
    const char *state = aws_json_text(configuration, "State");
    const char *update = aws_json_text(configuration, "LastUpdateStatus");
    if (strcmp(state, "Failed") == 0 || strcmp(update, "Failed") == 0)
        return err_set(err, ERR_UNAVAILABLE, "it cannot run: %s%s",
                       aws_json_text(configuration, "StateReason"),
                       aws_json_text(configuration, "LastUpdateStatusReason"));
    return strcmp(state, "Pending") != 0 && strcmp(update, "InProgress") != 0;
}

static int wait_settled(struct aws_client *client, const char *name, int timeout_ms,
                        struct err *err)
{
    uint64_t start_ns = clock_monotonic_ns();
    for (;;) {
        json_t *configuration = get_configuration(client, name, err);
        int done = configuration ? settled(configuration, err) : -1;
        json_decref(configuration);
        if (done != 0)
            return done < 0 ? -1 : 0;
        if (clock_ms_since(start_ns) > timeout_ms)
            return err_set(err, ERR_TIMEOUT, "not active after %d s", timeout_ms / 1000);
        clock_sleep_until_ns(clock_monotonic_ns() + POLL_MS * 1000000ull);
    }
}

static char *base64(const void *data, size_t size)
{
    char *text = size <= LAMBDA_MAX_ZIP_BYTES ? malloc((size + 2) / 3 * 4 + 1) : NULL;
    if (text)
        EVP_EncodeBlock((unsigned char *)text, data, (int)size);
    return text;
}

/* Is the function's code this very one? CodeSha256 is the base64 of a zip's SHA-256, and an image's
 * digest. */
static int has_code(const json_t *configuration, const struct lambda_code *code)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char text[64];
    const char *own = aws_json_text(configuration, "CodeSha256");
    const char *colon = code->image ? strrchr(code->image, ':') : NULL;
    if (code->image)
        return colon && strcmp(own, colon + 1) == 0;
    if (EVP_Digest(code->zip, code->zip_bytes, digest, NULL, EVP_sha256(), NULL) != 1)
        return 0;
    EVP_EncodeBlock((unsigned char *)text, digest, 32);
    return strcmp(own, text) == 0;
}

/* {"ZipFile": base64} or {"ImageUri": ..}. */
static json_t *code_json(const struct lambda_code *code, struct err *err)
{
    if (code->image)
        return json_pack("{s:s}", "ImageUri", code->image);
    char *text = base64(code->zip, code->zip_bytes);
    json_t *value = text ? json_string_nocheck(text) : NULL;
    free(text);
    if (!value)
        err_set(err, ERR_TOO_BIG, "function's zip: larger than %d MiB",
                LAMBDA_MAX_ZIP_BYTES / (1024 * 1024));
    return value ? json_pack("{s:o}", "ZipFile", value) : NULL;
}

/* The members that CreateFunction and UpdateFunctionConfiguration share. */
static json_t *configuration_of(const struct lambda_function *f)
{
    json_t *all = json_pack("{s:s, s:i, s:i, s:{s:O}}", "Role", f->role, "MemorySize", f->memory_mb,
                            "Timeout", f->timeout_s, "Environment", "Variables", f->environment);
    if (all && !f->code.image) {
        json_object_set_new(all, "Runtime", json_string(f->runtime));
        json_object_set_new(all, "Handler", json_string(f->handler));
    }
    return all;
}

static int create(struct aws_client *client, const struct lambda_function *f, struct err *err)
{
    json_t *code = code_json(&f->code, err);
    if (!code)
        return -1;
    json_t *body = configuration_of(f);
    json_t *more =
        json_pack("{s:s, s:s, s:[s], s:o}", "FunctionName", f->name, "PackageType",
                  f->code.image ? "Image" : "Zip", "Architectures", f->architecture, "Code", code);
    if (body && more)
        json_object_update(body, more);
    json_decref(more);
    json_t *answer = call(client, "CreateFunction", "POST", VERSION, body, err);
    json_decref(answer);
    return answer ? 0 : -1;
}

static int update_code(struct aws_client *client, const char *name, const struct lambda_code *code,
                       struct err *err)
{
    char path[PATH_BYTES];
    json_t *body = make_path(path, name, "/code", err) < 0 ? NULL : code_json(code, err);
    if (!body)
        return -1;
    json_t *answer = call(client, "UpdateFunctionCode", "PUT", path, body, err);
    json_decref(answer);
    return answer ? 0 : -1;
}

static int has_configuration(const json_t *now, const struct lambda_function *f)
{
    const json_t *variables = json_object_get(json_object_get(now, "Environment"), "Variables");
    return strcmp(aws_json_text(now, "Role"), f->role) == 0 &&
           (f->code.image || (strcmp(aws_json_text(now, "Runtime"), f->runtime) == 0 &&
                              strcmp(aws_json_text(now, "Handler"), f->handler) == 0)) &&
           json_integer_value(json_object_get(now, "MemorySize")) == f->memory_mb &&
           json_integer_value(json_object_get(now, "Timeout")) == f->timeout_s &&
           (variables ? json_equal(variables, f->environment)
                      : json_object_size(f->environment) == 0);
}

static int update_configuration(struct aws_client *client, const struct lambda_function *f,
                                struct err *err)
{
    char path[PATH_BYTES];
    if (make_path(path, f->name, "/configuration", err) < 0)
        return -1;
    json_t *answer =
        call(client, "UpdateFunctionConfiguration", "PUT", path, configuration_of(f), err);
    json_decref(answer);
    return answer ? 0 : -1;
}

static int check_architecture(const json_t *now, const struct lambda_function *f, struct err *err)
{
    const char *is = json_string_value(json_array_get(json_object_get(now, "Architectures"), 0));
    if (!is || strcmp(is, f->architecture) == 0)
        return 0;
    return err_set(err, ERR_EXISTS, "it is for %s, not %s; delete it first", is, f->architecture);
}

/* A function stays what it was made of. */
static int check_package(const json_t *now, const struct lambda_code *code, struct err *err)
{
    int is_image = strcmp(aws_json_text(now, "PackageType"), "Image") == 0;
    return is_image == (code->image != NULL)
               ? 0
               : err_set(err, ERR_EXISTS, "it is made of %s; delete it first, or take another name",
                         is_image ? "an image, not a zip" : "a zip, not an image");
}

/* Bring an existing function to what is wanted. */
static int change(struct aws_client *client, const json_t *now, const struct lambda_function *f,
                  int timeout_ms, struct err *err)
{
    int done = 0;
    if (check_architecture(now, f, err) < 0 || check_package(now, &f->code, err) < 0)
        return -1;
    if (!has_code(now, &f->code)) {
        if (update_code(client, f->name, &f->code, err) < 0 ||
            wait_settled(client, f->name, timeout_ms, err) < 0)
            return -1;
        done |= LAMBDA_CODE;
    }
    if (!has_configuration(now, f)) {
        if (update_configuration(client, f, err) < 0)
            return -1;
        done |= LAMBDA_CONFIGURATION;
    }
    return done;
}

static int read_arn(struct aws_client *client, const char *name, char *arn, size_t arn_bytes,
                    struct err *err)
{
    json_t *now = get_configuration(client, name, err);
    if (!now)
        return -1;
    snprintf(arn, arn_bytes, "%s", aws_json_text(now, "FunctionArn"));
    json_decref(now);
    return *arn ? 0 : err_set(err, ERR_CORRUPT, "GetFunctionConfiguration: the answer has no ARN");
}

int aws_lambda_put_function(struct aws_client *client, const struct lambda_function *function,
                            int timeout_ms, char *arn, size_t arn_bytes, struct err *err)
{
    int done = LAMBDA_CREATED;
    json_t *now = get_configuration(client, function->name, err);
    if (now)
        done = change(client, now, function, timeout_ms, err);
    else if (err->code != ERR_NOT_FOUND || create(client, function, err) < 0)
        done = -1;
    json_decref(now);
    if (done < 0 || wait_settled(client, function->name, timeout_ms, err) < 0 ||
        read_arn(client, function->name, arn, arn_bytes, err) < 0)
        return -1;
    return done;
}

int aws_lambda_put_code(struct aws_client *client, const char *name, const struct lambda_code *code,
                        int timeout_ms, struct err *err)
{
    json_t *now = get_configuration(client, name, err);
    if (!now)
        return -1;
    int same = check_package(now, code, err) < 0 ? -1 : has_code(now, code);
    json_decref(now);
    if (same != 0)
        return same < 0 ? -1 : 0;
    if (update_code(client, name, code, err) < 0 || wait_settled(client, name, timeout_ms, err) < 0)
        return -1;
    return LAMBDA_CODE;
}

int aws_lambda_add_permission(struct aws_client *client, const char *function,
                              const char *statement, const char *principal, const char *source_arn,
                              struct err *err)
{
    char path[PATH_BYTES];
    if (make_path(path, function, "/policy", err) < 0)
        return -1;
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:s}", "StatementId", statement, "Action",
                  "lambda:InvokeFunction", "Principal", principal, "SourceArn", source_arn);
    json_t *answer = call(client, "AddPermission", "POST", path, body, err);
    json_decref(answer);
    if (answer)
        return 1;
    return err->code == ERR_EXISTS ? 0 : -1;
}
