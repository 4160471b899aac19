#include "cloud/lambda/configuration.h"

#include "base/clock.h"
#include "base/random.h"
#include "cloud/lambda/function.h"
#include "cloud/lambda/runtimes.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __aarch64__
#define OWN_ARCHITECTURE "arm64"
#else
#define OWN_ARCHITECTURE "x86_64"
#endif

enum { MAX_DESCRIPTION_BYTES = 256, MAX_HANDLER_BYTES = 128, MAX_ROLE_BYTES = 512 };
enum { MAX_LOG_GROUP_BYTES = 512 };
enum { MAX_IMAGE_TEXTS = 1500, MAX_IMAGE_FOLDER_BYTES = 1000 };

json_t *configuration_create(const char *name, const char *arn)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:{s:i}, s:[s], s:s, s:s, s:s, s:s, s:{s:s},"
                     " s:{s:s, s:s}, s:{s:s, s:o}}",
                     "FunctionName", name, "FunctionArn", arn, "Description", "", "Timeout", 3,
                     "MemorySize", 128, "Version", "$LATEST", "EphemeralStorage", "Size", 512,
                     "Architectures", OWN_ARCHITECTURE, "PackageType", "Zip", "State", "Active",
                     "LastUpdateStatus", "Successful", "Handler", "bootstrap", "TracingConfig",
                     "Mode", "PassThrough", "SnapStart", "ApplyOn", "None", "OptimizationStatus",
                     "Off", "LoggingConfig", "LogFormat", "Text", "LogGroup",
                     json_sprintf("/aws/lambda/%s", name));
}

static int check_integer(const json_t *value, const char *name, long min, long max, struct err *err)
{
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value))
        return err_set(err, ERR_INVALID, "%s is a number from %ld to %ld", name, min, max);
    if (number >= min && number <= max)
        return 0;
    return err_set(err, ERR_INVALID,
                   "1 validation error detected: Value '%lld' at '%s' failed to satisfy "
                   "constraint: Member must have value %s than or equal to %ld",
                   (long long)number, name, number < min ? "greater" : "less",
                   number < min ? min : max);
}

static int apply_timeout(json_t *configuration, json_t *value, struct err *err)
{
    if (check_integer(value, "timeout", 1, FUNCTION_MAX_TIMEOUT_S, err) < 0)
        return -1;
    return json_object_set(configuration, "Timeout", value);
}

static int apply_memory(json_t *configuration, json_t *value, struct err *err)
{
    if (check_integer(value, "memorySize", FUNCTION_MIN_MEMORY_MB, FUNCTION_MAX_MEMORY_MB, err) < 0)
        return -1;
    return json_object_set(configuration, "MemorySize", value);
}

static int apply_storage(json_t *configuration, json_t *value, struct err *err)
{
    json_t *size = json_object_get(value, "Size");
    if (check_integer(size, "ephemeralStorage.size", FUNCTION_MIN_STORAGE_MB,
                      FUNCTION_MAX_STORAGE_MB, err) < 0)
        return -1;
    return json_object_set(json_object_get(configuration, "EphemeralStorage"), "Size", size);
}

static int apply_text(json_t *configuration, const char *name, json_t *value, size_t max,
                      struct err *err)
{
    if (!json_is_string(value) || json_string_length(value) > max)
        return err_set(err, ERR_INVALID,
                       "1 validation error detected: Value '%.128s' at '%c%s' failed to satisfy "
                       "constraint: Member must have length less than or equal to %zu",
                       json_is_string(value) ? json_string_value(value) : "", name[0] | 0x20,
                       name + 1, max);
    return json_object_set(configuration, name, value);
}

static int apply_description(json_t *configuration, json_t *value, struct err *err)
{
    return apply_text(configuration, "Description", value, MAX_DESCRIPTION_BYTES, err);
}

/* An empty value means "without it" and is fine. */
static int is_empty(const json_t *value)
{
    const char *name;
    json_t *inner;
    if (json_is_array(value))
        return json_array_size(value) == 0;
    if (json_is_string(value))
        return json_string_length(value) == 0;
    json_object_foreach((json_t *)(uintptr_t)value, name, inner)
    {
        if (!is_empty(inner))
            return 0;
    }
    return json_is_object(value) || json_is_null(value) || json_is_false(value);
}

int configuration_is_image(const json_t *configuration)
{
    const char *type = json_string_value(json_object_get(configuration, "PackageType"));
    return type && strcmp(type, "Image") == 0;
}

/* They are in the image. */
static int check_is_zip(const json_t *configuration, struct err *err)
{
    return configuration_is_image(configuration)
               ? err_set(err, ERR_INVALID,
                         "Please don't provide Handler or Runtime or Layer when the intended "
                         "function PackageType is Image.")
               : 0;
}

static int apply_handler(json_t *configuration, json_t *value, struct err *err)
{
    if (check_is_zip(configuration, err) < 0)
        return -1;
    const char *handler = json_string_value(value);
    if (handler && strpbrk(handler, " \t\r\n"))
        return err_set(err, ERR_INVALID,
                       "1 validation error detected: Value '%.128s' at 'handler' failed to satisfy "
                       "constraint: Member must satisfy regular expression pattern: [^\\s]+",
                       handler);
    return apply_text(configuration, "Handler", value, MAX_HANDLER_BYTES, err);
}

static int apply_role(json_t *configuration, json_t *value, struct err *err)
{
    const char *role = json_string_value(value);
    if (!role || strncmp(role, "arn:aws", 7) != 0 || !strstr(role, ":iam::") ||
        !strstr(role, ":role/"))
        return err_set(err, ERR_INVALID,
                       "1 validation error detected: Value '%.128s' at 'role' failed to satisfy "
                       "constraint: Member must satisfy regular expression pattern: "
                       "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
                       role ? role : "");
    return apply_text(configuration, "Role", value, MAX_ROLE_BYTES, err);
}

/* AWS's names a build of the runtime by the sum of its image; here there is one of each. */
static json_t *runtime_version(const json_t *configuration, const char *runtime)
{
    static const char mark[] = "arn:aws:lambda:";
    const char *arn = json_string_value(json_object_get(configuration, "FunctionArn"));
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char text[2 * SHA256_DIGEST_LENGTH + 1];
    arn = arn && strlen(arn) > sizeof mark ? arn + sizeof mark - 1 : "";
    SHA256((const unsigned char *)runtime, strlen(runtime), digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return json_pack(
        "{s:o}", "RuntimeVersionArn",
        json_sprintf("arn:aws:lambda:%.*s::runtime:%s", (int)strcspn(arn, ":"), arn, text));
}

static int apply_runtime(json_t *configuration, json_t *value, struct err *err)
{
    const char *runtime = json_string_value(value);
    if (check_is_zip(configuration, err) < 0 || runtimes_check(runtime ? runtime : "", err) < 0)
        return -1;
    json_object_set_new(configuration, "RuntimeVersionConfig",
                        runtime_version(configuration, runtime));
    return json_object_set(configuration, "Runtime", value);
}

static int is_reserved_name(const char *name)
{
    static const char *const reserved[] = {
        "_HANDLER",          "_X_AMZN_TRACE_ID",      "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_REGION",        "AWS_DEFAULT_REGION",    "AWS_EXECUTION_ENV",
        "LAMBDA_TASK_ROOT",  "LAMBDA_RUNTIME_DIR",    "TMPDIR"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(name, reserved[i]) == 0)
            return 1;
    return strncmp(name, "AWS_LAMBDA_", 11) == 0;
}

static int is_variable_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t size = strlen(name);
    return size > 1 && strchr(letters, name[0]) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == size;
}

static int check_reserved_names(const json_t *variables, struct err *err)
{
    const char *name;
    json_t *value;
    char names[200] = "";
    json_object_foreach((json_t *)(uintptr_t)variables, name, value)
    {
        size_t used = strlen(names);
        if (is_reserved_name(name))
            snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", name);
    }
    return *names ? err_set(err, ERR_INVALID,
                            "Lambda was unable to configure your environment variables because the "
                            "environment variables you have provided contains reserved keys that "
                            "are currently not supported for modification. Reserved keys used in "
                            "this request: %s",
                            names)
                  : 0;
}

static int check_variable(const char *name, const json_t *value, struct err *err)
{
    if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
        return err_set(err, ERR_INVALID, "The environment variable %.128s is no text", name);
    if (!is_variable_name(name))
        return err_set(
            err, ERR_INVALID,
            "1 validation error detected: Value '{%.64s=%.64s}' at "
            "'environment.variables' failed to satisfy constraint: Map keys must satisfy "
            "constraint: [Member must satisfy regular expression pattern: "
            "[a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]",
            name, json_string_value(value));
    return 0;
}

static int apply_environment(json_t *configuration, json_t *value, struct err *err)
{
    const char *name;
    json_t *text, *variables = json_object_get(value, "Variables");
    json_object_foreach(variables, name, text)
    {
        if (check_variable(name, text, err) < 0)
            return -1;
    }
    if (check_reserved_names(variables, err) < 0)
        return -1;
    return json_object_set_new(
        configuration, "Environment",
        json_pack("{s:o}", "Variables", variables ? json_incref(variables) : json_object()));
}

static int apply_architectures(json_t *configuration, json_t *value, struct err *err)
{
    const json_t *own = json_object_get(configuration, "Architectures");
    const char *first = json_string_value(json_array_get(value, 0));
    const char *second = json_string_value(json_array_get(value, 1));
    if (json_array_size(value) == 0 || json_equal(value, own))
        return 0;
    if (json_array_size(value) > 1)
        return err_set(err, ERR_INVALID,
                       "1 validation error detected: Value '[%.16s, %.16s]' at 'architectures' "
                       "failed to satisfy constraint: Member must have length less than or equal "
                       "to 1",
                       first ? first : "", second ? second : "");
    if (!first || (strcmp(first, "x86_64") != 0 && strcmp(first, "arm64") != 0))
        return err_set(err, ERR_INVALID,
                       "1 validation error detected: Value '[%.32s]' at 'architectures' failed to "
                       "satisfy constraint: Member must satisfy constraint: [Member must satisfy "
                       "enum value set: [x86_64, arm64], Member must not be null]",
                       first ? first : "");
    return err_set(err, ERR_UNSUPPORTED, "This machine runs functions for %s only",
                   json_string_value(json_array_get(own, 0)));
}

static int apply_package_type(json_t *configuration, json_t *value, struct err *err)
{
    const char *type = json_string_value(value);
    if (type && strcmp(type, "Zip") == 0)
        return 0;
    if (!type || strcmp(type, "Image") != 0)
        return err_set(err, ERR_INVALID,
                       "1 validation error detected: Value '%.64s' at 'packageType' failed to "
                       "satisfy constraint: Member must satisfy enum value set: [Zip, Image]",
                       type ? type : "");
    json_object_del(configuration, "Handler");
    return json_object_set(configuration, "PackageType", value);
}

static int check_texts(const json_t *list, const char *name, struct err *err)
{
    size_t i;
    json_t *text;
    int is_good = json_is_array(list) && json_array_size(list) <= MAX_IMAGE_TEXTS;
    json_array_foreach((json_t *)(uintptr_t)list, i, text)
    {
        is_good &=
            json_is_string(text) && strlen(json_string_value(text)) == json_string_length(text);
    }
    return is_good ? 0
                   : err_set(err, ERR_INVALID,
                             "Value at 'imageConfig.%s' failed to satisfy constraint: Member must "
                             "be at most %d texts",
                             name, MAX_IMAGE_TEXTS);
}

/* What an image is started with instead of its own. Empty: as the image says. */
static int apply_image_config(json_t *configuration, json_t *value, struct err *err)
{
    const char *name;
    json_t *field, *kept = json_object();
    int result =
        !configuration_is_image(configuration) && !is_empty(value)
            ? err_set(err, ERR_INVALID, "ImageConfig is for functions of PackageType Image")
            : 0;
    json_object_foreach(value, name, field)
    {
        if (result < 0 || is_empty(field))
            continue;
        if (strcmp(name, "EntryPoint") == 0 || strcmp(name, "Command") == 0)
            result = check_texts(field, name, err);
        else if (strcmp(name, "WorkingDirectory") != 0)
            result = err_set(err, ERR_INVALID, "ImageConfig has no member %.64s", name);
        else if (!json_is_string(field) || json_string_length(field) > MAX_IMAGE_FOLDER_BYTES)
            result = err_set(err, ERR_INVALID,
                             "ImageConfig.WorkingDirectory is a text of at most "
                             "%d bytes",
                             MAX_IMAGE_FOLDER_BYTES);
        json_object_set(kept, name, field);
    }
    if (result == 0 && json_object_size(kept) > 0)
        json_object_set_new(configuration, "ImageConfigResponse",
                            json_pack("{s:O}", "ImageConfig", kept));
    else if (result == 0)
        json_object_del(configuration, "ImageConfigResponse");
    json_decref(kept);
    return result;
}

/* {"TargetArn": ARN}; "" is without. Whether it is there, the service knows. */
static int apply_dead_letter(json_t *configuration, json_t *value, struct err *err)
{
    const json_t *arn = json_object_get(value, "TargetArn");
    if (!json_is_object(value) || (arn && !json_is_string(arn)))
        return err_set(err, ERR_INVALID, "DeadLetterConfig is {\"TargetArn\": ARN}");
    if (json_string_length(arn) == 0)
        json_object_del(configuration, "DeadLetterConfig");
    else
        json_object_set(configuration, "DeadLetterConfig", value);
    return 0;
}

static int is_log_group(const json_t *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".-_/#";
    const char *text = json_string_value(name);
    size_t size = text ? strlen(text) : 0;
    return size > 0 && size <= MAX_LOG_GROUP_BYTES && strspn(text, letters) == size;
}

/* Text is all there is. */
static int apply_logging(json_t *configuration, json_t *value, struct err *err)
{
    const char *name;
    json_t *field, *own = json_object_get(configuration, "LoggingConfig");
    json_object_foreach(value, name, field)
    {
        if (strcmp(name, "LogGroup") == 0 && is_log_group(field))
            json_object_set(own, name, field);
        else if (!json_equal(field, json_object_get(own, name)))
            return err_set(err, ERR_UNSUPPORTED,
                           "LoggingConfig.%.64s is not supported: ken cloud logs as Text, to the "
                           "log group that LogGroup names",
                           name);
    }
    return 0;
}

static int apply_tracing(json_t *configuration, json_t *value, struct err *err)
{
    const char *mode = json_string_value(json_object_get(value, "Mode"));
    if (mode && strcmp(mode, "Active") != 0 && strcmp(mode, "PassThrough") != 0)
        return err_set(
            err, ERR_INVALID,
            "1 validation error detected: Value '%.64s' at 'tracingConfig.mode' failed to "
            "satisfy constraint: Member must satisfy enum value set: [Active, "
            "PassThrough]",
            mode);
    return mode ? json_object_set(configuration, "TracingConfig", value) : 0;
}

static int check_unsupported(const json_t *request, struct err *err)
{
    static const char *const fields[] = {"VpcConfig", "Layers", "FileSystemConfigs", "KMSKeyArn"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const json_t *value = json_object_get(request, fields[i]);
        if (value && !is_empty(value))
            return err_set(err, ERR_UNSUPPORTED, "%s is not supported yet", fields[i]);
    }
    const char *snap =
        json_string_value(json_object_get(json_object_get(request, "SnapStart"), "ApplyOn"));
    if (!snap || strcmp(snap, "None") == 0)
        return 0;
    if (strcmp(snap, "PublishedVersions") == 0)
        return err_set(err, ERR_UNSUPPORTED, "SnapStart is not supported");
    return err_set(err, ERR_INVALID,
                   "1 validation error detected: Value '%.64s' at 'snapStart.applyOn' failed to "
                   "satisfy constraint: Member must satisfy enum value set: [PublishedVersions, "
                   "None]",
                   snap);
}

static const struct field {
    const char *name;
    int (*apply)(json_t *configuration, json_t *value, struct err *err);
} fields_known[] = {
    {"PackageType", apply_package_type}, /* first: others ask for it */
    {"Description", apply_description},
    {"Handler", apply_handler},
    {"Role", apply_role},
    {"Runtime", apply_runtime},
    {"Timeout", apply_timeout},
    {"MemorySize", apply_memory},
    {"Environment", apply_environment},
    {"EphemeralStorage", apply_storage},
    {"ImageConfig", apply_image_config},
    {"Architectures", apply_architectures},
    {"TracingConfig", apply_tracing},
    {"DeadLetterConfig", apply_dead_letter},
    {"LoggingConfig", apply_logging},
};

int configuration_apply(json_t *configuration, const json_t *request, struct err *err)
{
    if (check_unsupported(request, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof fields_known / sizeof *fields_known; i++) {
        json_t *value = json_object_get(request, fields_known[i].name);
        if (!value || json_is_null(value))
            continue;
        *err = (struct err){0};
        if (fields_known[i].apply(configuration, value, err) == 0)
            continue;
        return err->code ? -1 : err_set(err, ERR_NO_MEMORY, "keep function: no memory");
    }
    return 0;
}

int configuration_apply_architectures(json_t *configuration, const json_t *request, struct err *err)
{
    json_t *value = json_object_get(request, "Architectures");
    return value ? apply_architectures(configuration, value, err) : 0;
}

int configuration_check_create(const json_t *request, struct err *err)
{
    static const char *const needed[] = {"FunctionName", "Role", "Code"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!json_object_get(request, needed[i]))
            return err_set(err, ERR_INVALID,
                           "1 validation error detected: Value null at '%c%s' failed to satisfy "
                           "constraint: Member must not be null",
                           needed[i][0] | 0x20, needed[i] + 1);
    if (!configuration_is_image(request) &&
        (!json_object_get(request, "Runtime") || !json_object_get(request, "Handler")))
        return err_set(err, ERR_INVALID,
                       "Runtime and Handler are mandatory parameters for functions created with "
                       "deployment packages.");
    return 0;
}

void configuration_time(char text[CONFIGURATION_TIME_BYTES])
{
    char time[CLOCK_TEXT_BYTES];
    clock_text(clock_unix_ms(), time);
    snprintf(text, CONFIGURATION_TIME_BYTES, "%.*s+0000", CLOCK_TEXT_BYTES - 2, time);
}

void configuration_revise(json_t *configuration)
{
    char revision[RANDOM_UUID_BYTES];
    random_uuid(revision);
    json_object_set_new(configuration, "RevisionId", json_string(revision));
}

void configuration_touch(json_t *configuration)
{
    char time[CONFIGURATION_TIME_BYTES];
    configuration_time(time);
    json_object_set_new(configuration, "LastModified", json_string(time));
}

void configuration_set_code(json_t *configuration, const void *zip, size_t size)
{
    unsigned char digest[SHA256_DIGEST_LENGTH], text[SHA256_DIGEST_LENGTH * 4 / 3 + 8];
    SHA256(zip, size, digest);
    EVP_EncodeBlock(text, digest, sizeof digest);
    json_object_set_new(configuration, "CodeSize", json_integer((json_int_t)size));
    json_object_set_new(configuration, "CodeSha256", json_string((const char *)text));
}
