#include "cloud/errors.h"

#include "base/buf.h"
#include "base/log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MAX_MESSAGE_BYTES = 2048, MAX_ERROR_BODY_BYTES = 64 * 1024 };

/* AWS's error codes with their HTTP status, where it is not 400; sorted by code. */
struct code_status {
    const char *code;
    int status;
};

static const struct code_status statuses[] = {
    {"AccessDenied", 403},
    {"AccessDeniedException", 403},
    {"AccessForbidden", 403},
    {"BucketAlreadyExists", 409},
    {"BucketAlreadyOwnedByYou", 409},
    {"BucketNotEmpty", 409},
    {"ConditionalRequestConflict", 409},
    {"ConflictException", 409},
    {"ExpiredTokenException", 403},
    {"ForbiddenException", 403},
    {"IncompleteSignature", 403},
    {"IncompleteSignatureException", 403},
    {"InsufficientStorage", 507},
    {"InternalError", 500},
    {"InternalFailure", 500},
    {"InternalServerError", 500},
    {"InvalidAccessKeyId", 403},
    {"InvalidBucketState", 409},
    {"InvalidClientTokenId", 403},
    {"InvalidPartNumber", 416},
    {"InvalidRange", 416},
    {"InvalidSignatureException", 403},
    {"MethodNotAllowed", 405},
    {"MissingAuthenticationToken", 403},
    {"MissingAuthenticationTokenException", 403},
    {"MissingContentLength", 411},
    {"NoSuchBucket", 404},
    {"NoSuchBucketPolicy", 404},
    {"NoSuchCORSConfiguration", 404},
    {"NoSuchConfiguration", 404},
    {"NoSuchKey", 404},
    {"NoSuchLifecycleConfiguration", 404},
    {"NoSuchPublicAccessBlockConfiguration", 404},
    {"NoSuchTagSet", 404},
    {"NoSuchUpload", 404},
    {"NoSuchVersion", 404},
    {"NoSuchWebsiteConfiguration", 404},
    {"NotFoundException", 404},
    {"NotImplemented", 501},
    {"ObjectLockConfigurationNotFoundError", 404},
    {"OperationAborted", 409},
    {"OwnershipControlsNotFoundError", 404},
    {"PreconditionFailed", 412},
    {"ReplicationConfigurationNotFoundError", 404},
    {"RequestEntityTooLargeException", 413},
    {"RequestTimeTooSkewed", 403},
    {"ResourceConflictException", 409},
    {"ServerException", 500},
    {"ServerSideEncryptionConfigurationNotFoundError", 404},
    {"ServiceException", 500},
    {"ServiceFailure", 500},
    {"ServiceUnavailable", 503},
    {"ServiceUnavailableException", 503},
    {"SignatureDoesNotMatch", 403},
    {"SlowDown", 503},
    {"TooManyRequestsException", 429},
    {"UnauthorizedException", 401},
    {"UnrecognizedClientException", 403},
    {"UnsupportedMediaTypeException", 415},
};

static int compare_code(const void *key, const void *row)
{
    return strcmp(key, ((const struct code_status *)row)->code);
}

int error_status(const char *code)
{
    const struct code_status *row =
        bsearch(code, statuses, sizeof statuses / sizeof *statuses, sizeof *statuses, compare_code);
    return row ? row->status : 400;
}

/* The codes of the four forms for what went wrong inside. */
static const struct {
    enum err_code code;
    const char *forms[4]; /* by enum error_form */
} codes[] = {
    {ERR_INVALID,
     {"InvalidRequest", "ValidationException", "InvalidParameterValueException",
      "InvalidParameterValue"}},
    {ERR_NOT_FOUND,
     {"NoSuchKey", "ResourceNotFoundException", "NotFoundException", "ResourceNotFound"}},
    {ERR_EXISTS,
     {"OperationAborted", "ResourceInUseException", "ConflictException", "AlreadyExists"}},
    {ERR_TOO_BIG,
     {"EntityTooLarge", "ValidationException", "RequestEntityTooLargeException",
      "InvalidParameterValue"}},
    {ERR_UNSUPPORTED,
     {"NotImplemented", "UnknownOperationException", "InvalidParameterValueException",
      "InvalidAction"}},
    {ERR_DENIED,
     {"AccessDenied", "AccessDeniedException", "AccessDeniedException", "AccessDenied"}},
    {ERR_BUSY, {"SlowDown", "ThrottlingException", "TooManyRequestsException", "Throttling"}},
    {ERR_NO_SPACE,
     {"InsufficientStorage", "InsufficientStorage", "InsufficientStorage", "InsufficientStorage"}},
    {ERR_UNAVAILABLE,
     {"ServiceUnavailable", "ServiceUnavailable", "ServiceUnavailable", "ServiceUnavailable"}},
};

const char *error_code(enum error_form form, enum err_code code)
{
    static const char *const internal[] = {"InternalError", "InternalServerError",
                                           "ServiceException", "InternalFailure"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return codes[i].forms[form];
    return internal[form];
}

int error_xml_escape(struct buf *out, const char *text)
{
    for (const char *p = text; *p;) {
        size_t plain = 0;
        while ((unsigned char)p[plain] >= 0x20 && !strchr("&<>\"'", p[plain]))
            plain++;
        buf_append(out, p, plain);
        p += plain;
        if (!*p)
            break;
        switch (*p) {
        case '&':
            buf_puts(out, "&amp;");
            break;
        case '<':
            buf_puts(out, "&lt;");
            break;
        case '>':
            buf_puts(out, "&gt;");
            break;
        case '"':
            buf_puts(out, "&quot;");
            break;
        case '\'':
            buf_puts(out, "&#39;");
            break;
        case '\t':
        case '\n':
        case '\r':
            buf_printf(out, "&#%d;", *p);
            break;
        default:
            buf_puts(out, "\xef\xbf\xbd");
        }
        p++;
    }
    return out->failed ? -1 : 0;
}

/* What is said, and how. */
struct failure {
    int status;
    const char *code, *message;
    const struct error_field *fields;
    size_t count;
};

static void fill_s3(struct exchange *x, struct buf *body, const struct failure *f)
{
    buf_printf(body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>",
               f->code);
    error_xml_escape(body, f->message);
    buf_puts(body, "</Message>");
    for (size_t i = 0; i < f->count; i++) {
        if (!f->fields[i].value)
            continue;
        buf_printf(body, "<%s>", f->fields[i].name);
        error_xml_escape(body, f->fields[i].value);
        buf_printf(body, "</%s>", f->fields[i].name);
    }
    buf_puts(body, "<Resource>");
    error_xml_escape(body, x->path);
    buf_printf(body, "</Resource><RequestId>%s</RequestId><HostId>%s</HostId></Error>",
               x->request_id, x->request_id);
}

static void fill_query(struct exchange *x, struct buf *body, const char *code, const char *message)
{
    buf_printf(body, "<ErrorResponse><Error><Type>%s</Type><Code>%s</Code><Message>",
               error_status(code) >= 500 ? "Receiver" : "Sender", code);
    error_xml_escape(body, message);
    buf_printf(body, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>", x->request_id);
}

/* A service of the query protocol is asked in JSON too, and then answers in it, with the query
 * protocol's code beside. */
static enum error_form form_of(const struct exchange *x)
{
    enum error_form form = x->service ? x->service->error_form : ERROR_FORM_S3;
    return form == ERROR_FORM_QUERY && exchange_header(x, "X-Amz-Target") ? ERROR_FORM_JSON : form;
}

/* Lambda's own errors say whose fault they are; two of them write the message with a capital. */
static const char *lambda_message_member(const struct exchange *x, const char *code)
{
    static const char *const own[] = {
        "ServiceException",
        "ResourceNotFoundException",
        "CodeStorageExceededException",
        "InvalidParameterValueException",
        "InvalidRequestContentException",
        "PolicyLengthExceededException",
        "PreconditionFailedException",
        "ProvisionedConcurrencyConfigNotFoundException",
        "RequestTooLargeException",
        "ResourceConflictException",
        "TooManyRequestsException",
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (x->service && strcmp(x->service->name, "lambda") == 0 && strcmp(code, own[i]) == 0)
            return i < 2 ? "Message" : "message";
    return NULL;
}

static void fill_json(struct exchange *x, struct buf *body, const struct failure *f)
{
    const char *code = f->code, *member = lambda_message_member(x, code);
    const char *prefix = x->service ? x->service->error_prefix : NULL;
    json_t *json = json_object();
    if (form_of(x) == ERROR_FORM_JSON) {
        char type[256];
        snprintf(type, sizeof type, "%s%s", prefix ? prefix : "", code);
        json_object_set_new(json, "__type", json_string(type));
    }
    if (member)
        json_object_set_new(json, "Type", json_string(f->status < 500 ? "User" : "Service"));
    for (size_t i = 0; member && i < f->count; i++)
        if (f->fields[i].value)
            json_object_set_new(json, f->fields[i].name, json_string(f->fields[i].value));
    json_object_set_new(json, member ? member : "message", json_string(f->message));
    char *text = json_dumps(json, JSON_COMPACT);
    if (text)
        buf_puts(body, text);
    free(text);
    json_decref(json);
}

/* The code that the query protocol has for it, by which clients of JSON go, too. */
static void add_query_error(struct exchange *x, int status, const char *code)
{
    if (x->service->error_form != ERROR_FORM_QUERY)
        return;
    const char *side = status < 500 ? "Sender" : "Receiver";
    if (strcmp(code, error_code(ERROR_FORM_JSON, ERR_DENIED)) == 0)
        code = error_code(ERROR_FORM_QUERY, ERR_DENIED);
    char *text = arena_printf(&x->arena, "%s;%s", code, side);
    if (text)
        exchange_reply_header(x, "x-amzn-query-error", text);
}

static int own_status(const struct exchange *x, int status)
{
    return status == 403 && x->service && x->service->denied_status ? x->service->denied_status
                                                                    : status;
}

static void add_sum(struct exchange *x, const struct buf *body)
{
    char sum[16];
    if (!x->service || !x->service->sums)
        return;
    snprintf(sum, sizeof sum, "%lu",
             crc32(0, (const unsigned char *)(body->data ? body->data : ""), (unsigned)body->size));
    exchange_reply_header(x, "x-amz-crc32", sum);
}

static void fail_with(struct exchange *x, const struct failure *f)
{
    int status = own_status(x, f->status);
    static const char *const types[] = {"application/xml", "application/x-amz-json-1.0",
                                        "application/json", "text/xml"};
    enum error_form form = form_of(x);
    struct buf body;
    buf_init(&body, MAX_ERROR_BODY_BYTES);
    if (form == ERROR_FORM_S3)
        fill_s3(x, &body, f);
    else if (form == ERROR_FORM_QUERY)
        fill_query(x, &body, f->code, f->message);
    else
        fill_json(x, &body, f);
    if (form == ERROR_FORM_JSON)
        add_query_error(x, f->status, f->code);
    if (form == ERROR_FORM_REST_JSON)
        exchange_reply_header(x, "X-Amzn-ErrorType", f->code);
    add_sum(x, &body);
    if (strcmp(x->method, "HEAD") == 0) /* S3 tells the type of what it leaves out */
        exchange_respond(x, status, form == ERROR_FORM_S3 && status != 304 ? types[form] : NULL,
                         NULL, 0);
    else
        exchange_respond(x, status, types[form], body.data, body.size);
    buf_finish(&body);
}

void exchange_fail_status(struct exchange *x, int status, const char *code, const char *message)
{
    fail_with(x, &(struct failure){status, code, message, NULL, 0});
}

void exchange_fail_fields(struct exchange *x, const char *code, const char *message,
                          const struct error_field *fields, size_t count)
{
    fail_with(x, &(struct failure){error_status(code), code, message, fields, count});
}

void exchange_fail_more(struct exchange *x, const char *code, const char *name, const char *value,
                        const char *message)
{
    const struct error_field field = {name, value};
    exchange_fail_fields(x, code, message, &field, 1);
}

void exchange_fail(struct exchange *x, const char *code, const char *format, ...)
{
    char message[MAX_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    exchange_fail_status(x, error_status(code), code, message);
}

void exchange_fail_err(struct exchange *x, const struct err *err)
{
    const char *code = error_code(form_of(x), err->code);
    int status = error_status(code);
    if (status < 500 || err->code == ERR_UNSUPPORTED) {
        exchange_fail_status(x, status, code, err->message);
        return;
    }
    log_line(LOG_ERROR, "%s %s: %s", x->method, x->path, err->message);
    exchange_fail_status(x, status, code,
                         err->code == ERR_NO_SPACE
                             ? "The cloud's disk is full."
                             : "We encountered an internal error. Please try again.");
}
