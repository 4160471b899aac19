#include "cloud/lambda/function.h"

#include "base/file.h"
#include "base/log.h"
#include "cloud/lambda/code_sum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct code *code_create(const char *folder)
{
    struct code *code = calloc(1, sizeof *code);
    if (code)
        code->folder = strdup(folder);
    if (!code || !code->folder) {
        free(code);
        return NULL;
    }
    code->references = 1;
    pthread_mutex_init(&code->check, NULL);
    return code;
}

/* CODE_UNKNOWN: they cannot be read just now. */
static enum code_state check_files(const char *folder, struct err *err)
{
    const char *dash = strrchr(folder, '-'), *slash = strrchr(folder, '/');
    uint64_t sum;
    if (!dash || dash < slash)
        return CODE_WHOLE;
    if (code_sum(folder, &sum, err) < 0)
        return CODE_UNKNOWN;
    return sum == strtoull(dash + 1, NULL, 16) ? CODE_WHOLE : CODE_DAMAGED;
}

int code_check(struct code *code, struct err *err)
{
    if (atomic_load(&code->state) == CODE_WHOLE)
        return 0;
    pthread_mutex_lock(&code->check);
    if (atomic_load(&code->state) == CODE_UNKNOWN)
        atomic_store(&code->state, check_files(code->folder, err));
    int state = atomic_load(&code->state);
    pthread_mutex_unlock(&code->check);
    if (state == CODE_DAMAGED)
        err_set(err, ERR_CORRUPT, "start a function: the code in %s is damaged", code->folder);
    return state == CODE_WHOLE ? 0 : -1;
}

struct code *code_hold(struct code *code)
{
    atomic_fetch_add(&code->references, 1);
    return code;
}

int code_zip(const struct code *code, char path[PATH_MAX])
{
    int size = snprintf(path, PATH_MAX, "%s.zip", code->folder);
    return size > 0 && size < PATH_MAX ? 0 : -1;
}

static void remove_files(const struct code *code)
{
    struct err err;
    char zip[PATH_MAX];
    if (file_remove_tree(code->folder, &err) < 0)
        log_line(LOG_WARN, "lambda: %s", err.message);
    if (code_zip(code, zip) == 0 && file_remove(zip, &err) < 0 && err.code != ERR_NOT_FOUND)
        log_line(LOG_WARN, "lambda: %s", err.message);
}

void code_release(struct code *code)
{
    if (!code || atomic_fetch_sub(&code->references, 1) != 1)
        return;
    if (atomic_load(&code->is_obsolete))
        remove_files(code);
    pthread_mutex_destroy(&code->check);
    free(code->folder);
    free(code);
}

int function_read_key(const json_t *record, char key[FUNCTION_KEY_BYTES], struct err *err)
{
    const json_t *configuration = json_object_get(record, "Configuration");
    const char *name = json_string_value(json_object_get(configuration, "FunctionName"));
    const char *version = json_string_value(json_object_get(configuration, "Version"));
    int is_latest = !version || strcmp(version, "$LATEST") == 0;
    int size = snprintf(key, FUNCTION_KEY_BYTES, "%s%s%s", name ? name : "", is_latest ? "" : ":",
                        is_latest ? "" : version);
    if (!name || size < 0 || size >= FUNCTION_KEY_BYTES)
        return err_set(err, ERR_CORRUPT, "read function: it has no name");
    return 0;
}

static int read_fields(struct function *f)
{
    json_int_t timeout, memory, storage;
    json_t *configuration = json_object_get(f->record, "Configuration");
    if (json_unpack(configuration, "{s:s, s:s, s:s, s:I, s:I, s:{s:I}}", "FunctionName", &f->name,
                    "FunctionArn", &f->arn, "Role", &f->role, "Timeout", &timeout, "MemorySize",
                    &memory, "EphemeralStorage", "Size", &storage) < 0)
        return -1;
    f->configuration = configuration;
    f->timeout_s = (long)timeout;
    f->memory_mb = (long)memory;
    f->storage_mb = (long)storage;
    const char *version = json_string_value(json_object_get(configuration, "Version"));
    f->version = version ? version : "$LATEST";
    const char *handler = json_string_value(json_object_get(configuration, "Handler"));
    f->handler = handler ? handler : "";
    f->environment = json_object_get(json_object_get(configuration, "Environment"), "Variables");
    const char *runtime = json_string_value(json_object_get(configuration, "Runtime"));
    f->image = json_object_get(f->record, "Image");
    f->runtime = runtime ? runtime : "";
    if (!runtime && !f->image)
        return -1;
    f->log_group = json_string_value(
        json_object_get(json_object_get(configuration, "LoggingConfig"), "LogGroup"));
    f->urls = json_object_get(f->record, "Urls");
    const json_t *reserved = json_object_get(f->record, "ReservedConcurrency");
    f->reserved = json_is_integer(reserved) ? (long)json_integer_value(reserved) : -1;
    return 0;
}

struct function *function_create(json_t *record, struct code *code, uint64_t generation,
                                 struct err *err)
{
    struct function *function = calloc(1, sizeof *function);
    if (!function || !record || !code) {
        free(function);
        json_decref(record);
        code_release(code);
        err_set(err, ERR_NO_MEMORY, "keep function: no memory");
        return NULL;
    }
    *function = (struct function){
        .record = record, .code = code, .generation = generation, .incarnation = generation};
    atomic_init(&function->references, 1);
    if (read_fields(function) == 0 && function_read_key(record, function->key, err) == 0)
        return function;
    function_release(function);
    err_set(err, ERR_CORRUPT, "read function: a field is missing");
    return NULL;
}

struct function *function_hold(struct function *function)
{
    atomic_fetch_add(&function->references, 1);
    return function;
}

void function_release(struct function *function)
{
    if (!function || atomic_fetch_sub(&function->references, 1) != 1)
        return;
    json_decref(function->record);
    code_release(function->code);
    free(function);
}

/* What stands behind "...:function:", or the text itself. */
static const char *skip_arn(const char *text)
{
    static const char mark[] = "function:";
    if (strncmp(text, mark, sizeof mark - 1) == 0)
        return text + sizeof mark - 1;
    const char *found = strstr(text, ":function:");
    return found ? found + 1 + sizeof mark - 1 : text;
}

/* "arn:aws:lambda:us-east-1:000000000000:" or "000000000000:", up to `end`. */
static void read_place(const char *text, const char *end, struct function_reference *out)
{
    static const char mark[] = ":lambda:";
    size_t size = strspn(end - text >= 13 ? end - 13 : "", "0123456789");
    out->account[0] = out->region[0] = 0;
    if (size == 12 && end[-1] == ':')
        snprintf(out->account, sizeof out->account, "%.12s", end - 13);
    const char *region = strstr(text, mark);
    if (region && region < end)
        snprintf(out->region, sizeof out->region, "%.*s", (int)strcspn(region + 8, ":"),
                 region + sizeof mark - 1);
}

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "-_";

int function_qualifier_is_version(const char *qualifier)
{
    size_t size = strspn(qualifier, "0123456789");
    return size > 0 && size <= 18 && !qualifier[size];
}

int function_qualifier_is_valid(const char *qualifier)
{
    size_t size = strlen(qualifier);
    return strcmp(qualifier, "$LATEST") == 0 ||
           (size > 0 && size < FUNCTION_QUALIFIER_BYTES && strspn(qualifier, name_letters) == size);
}

int function_refuse_name(const char *text, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "1 validation error detected: Value '%.140s' at 'functionName' failed to "
                   "satisfy constraint: Member must satisfy regular expression pattern: "
                   "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-"
                   "\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)"
                   "(:(\\$LATEST|[a-zA-Z0-9-_]+))?",
                   text);
}

int function_read_reference(const char *text, struct function_reference *out, struct err *err)
{
    const char *start = skip_arn(text);
    size_t size = strspn(start, name_letters);
    const char *qualifier = start[size] == ':' ? start + size + 1 : "";
    if (size == 0 || (start[size] && start[size] != ':') ||
        (start[size] && !function_qualifier_is_valid(qualifier)))
        return function_refuse_name(text, err);
    if (size >= FUNCTION_NAME_BYTES)
        return err_set(err, ERR_TOO_BIG,
                       "1 validation error detected: Value '%.170s' at 'functionName' failed to "
                       "satisfy constraint: Member must have length less than or equal to 64",
                       text);
    memcpy(out->name, start, size);
    out->name[size] = 0;
    snprintf(out->qualifier, sizeof out->qualifier, "%s", qualifier);
    static const char mark[] = "function:";
    read_place(text, start > text ? start - (sizeof mark - 1) : text, out);
    return 0;
}

int function_is_latest(const struct function *function)
{
    return strcmp(function->version, "$LATEST") == 0;
}
