#include "cloud/errors.h"
#include "cloud/s3/config.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Cross-origin requests: https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html */

enum { MAX_RULES = 100 };

static const char *const methods[] = {"GET", "PUT", "POST", "DELETE", "HEAD", NULL};

/* -- the configuration -- */

static size_t count_stars(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '*';
    return count;
}

static int check_method(struct s3_request *r, const char *method)
{
    for (size_t i = 0; methods[i]; i++)
        if (strcmp(methods[i], method) == 0)
            return 0;
    exchange_fail(r->x, "InvalidRequest",
                  "Found unsupported HTTP method in CORS config. Unsupported method is %s", method);
    return -1;
}

static int check_stars(struct s3_request *r, const struct tree *rule, const char *name)
{
    for (const struct tree *t = tree_get(rule, name); t; t = tree_same(t)) {
        if (count_stars(t->text) < 2)
            continue;
        exchange_fail(r->x, "InvalidRequest", "%s \"%s\" can not have more than one wildcard.",
                      name, t->text);
        return -1;
    }
    return 0;
}

/* RFC 9110, section 5.6.2: what a name of a header is made of. */
static int is_header(const char *name, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789!#$%&'*+-.^_`|~";
    return size && strspn(name, letters) >= size;
}

static int check_header_names(struct s3_request *r, const struct tree *rule, const char *element)
{
    for (const struct tree *t = tree_get(rule, element); t; t = tree_same(t)) {
        if (is_header(t->text, strlen(t->text)))
            continue;
        exchange_fail(r->x, "InvalidRequest", "AllowedHeader \"%s\" contains invalid character.",
                      t->text);
        return -1;
    }
    return 0;
}

static int check_age(struct s3_request *r, const struct tree *rule)
{
    const char *age = tree_text(rule, "MaxAgeSeconds");
    if (!age || s3_number(age + (*age == '-'), INT32_MAX) >= 0)
        return 0;
    s3_fail_malformed(r);
    return -1;
}

static int check_rule(struct s3_request *r, const struct tree *rule)
{
    if (!tree_get(rule, "AllowedMethod") || !tree_get(rule, "AllowedOrigin")) {
        s3_fail_malformed(r);
        return -1;
    }
    for (const struct tree *t = tree_get(rule, "AllowedMethod"); t; t = tree_same(t))
        if (check_method(r, t->text) < 0)
            return -1;
    for (const struct tree *t = tree_get(rule, "ExposeHeader"); t; t = tree_same(t)) {
        if (!count_stars(t->text))
            continue;
        exchange_fail(r->x, "InvalidRequest",
                      "ExposeHeader \"%s\" contains wildcard. We currently do not support wildcard "
                      "for ExposeHeader",
                      t->text);
        return -1;
    }
    if (check_stars(r, rule, "AllowedOrigin") < 0 || check_stars(r, rule, "AllowedHeader") < 0 ||
        check_header_names(r, rule, "AllowedHeader") < 0 ||
        check_header_names(r, rule, "ExposeHeader") < 0)
        return -1;
    return check_age(r, rule);
}

int cors_check(struct s3_request *r, struct tree *config)
{
    size_t count = tree_count(config, "CORSRule");
    if (count == 0 || count > MAX_RULES) {
        s3_fail_malformed(r);
        return -1;
    }
    for (const struct tree *rule = tree_get(config, "CORSRule"); rule; rule = tree_same(rule))
        if (check_rule(r, rule) < 0)
            return -1;
    return 0;
}

/* -- matching -- */

/* At most one '*' in the pattern. */
static int matches(const char *pattern, const char *text, size_t size,
                   int (*compare)(const char *, const char *, size_t))
{
    const char *star = strchr(pattern, '*');
    size_t before = star ? (size_t)(star - pattern) : strlen(pattern);
    size_t after = star ? strlen(star + 1) : 0;
    if (!star)
        return before == size && compare(pattern, text, size) == 0;
    return size >= before + after && compare(pattern, text, before) == 0 &&
           compare(star + 1, text + size - after, after) == 0;
}

static const char *find_origin(const struct tree *rule, const char *origin)
{
    for (const struct tree *t = tree_get(rule, "AllowedOrigin"); t; t = tree_same(t))
        if (matches(t->text, origin, strlen(origin), strncmp))
            return t->text;
    return NULL;
}

static int has_method(const struct tree *rule, const char *method)
{
    for (const struct tree *t = tree_get(rule, "AllowedMethod"); t; t = tree_same(t))
        if (strcmp(t->text, method) == 0)
            return 1;
    return 0;
}

static int allows_header(const struct tree *rule, const char *name, size_t size)
{
    for (const struct tree *t = tree_get(rule, "AllowedHeader"); t; t = tree_same(t))
        if (matches(t->text, name, size, strncasecmp))
            return 1;
    return 0;
}

static int allows_headers(const struct tree *rule, const char *list)
{
    for (const char *p = list ? list : ""; *p;) {
        p += strspn(p, ", \t");
        size_t size = strcspn(p, ", \t");
        if (size && !allows_header(rule, p, size))
            return 0;
        p += size;
    }
    return 1;
}

static const struct tree *find_rule(const struct tree *config, const char *origin,
                                    const char *method, const char *headers, const char **allowed)
{
    for (const struct tree *rule = tree_get(config, "CORSRule"); rule; rule = tree_same(rule)) {
        *allowed = find_origin(rule, origin);
        if (*allowed && has_method(rule, method) && allows_headers(rule, headers))
            return rule;
    }
    return NULL;
}

/* -- answers -- */

static void reply_list(struct exchange *x, const char *header, const struct tree *rule,
                       const char *name)
{
    struct buf text;
    buf_init(&text, S3_MAX_HEADERS_BYTES);
    for (const struct tree *t = tree_get(rule, name); t; t = tree_same(t))
        if (!strpbrk(t->text, "\r\n"))
            buf_printf(&text, "%s%s", text.size ? ", " : "", t->text);
    if (text.size)
        exchange_reply_header(x, header, text.data);
    buf_finish(&text);
}

static void reply_rule(struct exchange *x, const struct tree *rule, const char *origin,
                       const char *allowed)
{
    int is_any = strcmp(allowed, "*") == 0;
    const char *age = tree_text(rule, "MaxAgeSeconds");
    exchange_reply_header(x, "Access-Control-Allow-Origin", is_any ? "*" : origin);
    reply_list(x, "Access-Control-Allow-Methods", rule, "AllowedMethod");
    reply_list(x, "Access-Control-Expose-Headers", rule, "ExposeHeader");
    if (age)
        exchange_reply_header(x, "Access-Control-Max-Age", age);
    if (!is_any)
        exchange_reply_header(x, "Access-Control-Allow-Credentials", "true");
    exchange_reply_header(x, "Vary",
                          "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
}

void s3_reply_cors(struct s3_request *r)
{
    struct err err = {0};
    struct tree *config;
    const char *origin = exchange_header(r->x, "Origin"), *allowed;
    if (!origin || !r->bucket || config_tree(r, r->bucket, "cors", &config, &err) <= 0)
        return;
    const char *method = exchange_header(r->x, "Access-Control-Request-Method");
    const struct tree *rule =
        find_rule(config, origin, method ? method : r->x->method, NULL, &allowed);
    if (rule)
        reply_rule(r->x, rule, origin, allowed);
}

/* AWS says whose rules refused: the bucket's, or those for the object. */
static void forbid(struct s3_request *r, const char *resource, const char *message)
{
    const char *method = exchange_header(r->x, "Access-Control-Request-Method");
    const struct error_field fields[] = {{"Method", method ? method : r->x->method},
                                         {"ResourceType", resource}};
    exchange_fail_fields(r->x, "AccessForbidden", message, fields, 2);
}

/* Lower case and with ", " between, as AWS gives them back. */
static void reply_headers(struct exchange *x, const char *list)
{
    struct buf text;
    buf_init(&text, S3_MAX_HEADERS_BYTES);
    for (const char *p = list; *p;) {
        p += strspn(p, ", \t");
        size_t size = strcspn(p, ", \t");
        if (size && text.size)
            buf_puts(&text, ", ");
        for (size_t i = 0; i < size; i++) {
            char small = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] - 'A' + 'a' : p[i]);
            buf_append(&text, &small, 1);
        }
        p += size;
    }
    if (text.size)
        exchange_reply_header(x, "Access-Control-Allow-Headers", text.data);
    buf_finish(&text);
}

/* Does what a browser asks for make sense at all? */
static int check_question(struct s3_request *r, const char *method, const char *headers)
{
    int known = 0;
    for (size_t i = 0; method && methods[i]; i++)
        known |= strcmp(methods[i], method) == 0;
    if (!known) {
        exchange_fail(r->x, "BadRequest", "Invalid Access-Control-Request-Method: %.64s",
                      method ? method : "null");
        return -1;
    }
    for (const char *p = headers ? headers : ""; *p;) {
        p += strspn(p, ", \t");
        size_t size = strcspn(p, ",");
        size_t length = size;
        while (length && strchr(" \t", p[length - 1]))
            length--;
        if (length && !is_header(p, length)) {
            exchange_fail(r->x, "BadRequest",
                          "Access-Control-Request-Headers \"%.*s\" contains invalid character.",
                          (int)length, p);
            return -1;
        }
        p += size;
    }
    return 0;
}

/* NULL: refused. Whether the question makes sense is asked after whether there are rules. */
static struct tree *need_rules(struct s3_request *r)
{
    struct err err = {0};
    struct tree *config;
    int exists = r->bucket ? meta_bucket(r, r->bucket, NULL, &err) : 0;
    int found = exists > 0 ? config_tree(r, r->bucket, "cors", &config, &err) : exists;
    if (found < 0)
        s3_fail(r, &err);
    else if (!found)
        forbid(r, "BUCKET",
               exists ? "CORSResponse: CORS is not enabled for this bucket."
                      : "CORSResponse: Bucket not found");
    return found > 0 ? config : NULL;
}

void s3_preflight(struct s3_request *r)
{
    const char *origin = exchange_header(r->x, "Origin"), *allowed;
    const char *method = exchange_header(r->x, "Access-Control-Request-Method");
    const char *headers = exchange_header(r->x, "Access-Control-Request-Headers");
    if (!origin) {
        exchange_fail(r->x, "BadRequest",
                      "Insufficient information. Origin request header needed.");
        return;
    }
    struct tree *config = need_rules(r);
    if (!config || check_question(r, method, headers) < 0)
        return;
    const struct tree *rule = find_rule(config, origin, method, headers, &allowed);
    if (!rule) {
        forbid(r, r->key ? "OBJECT" : "BUCKET",
               "CORSResponse: This CORS request is not allowed. This is usually because the "
               "evalution of Origin, request method / Access-Control-Request-Method or "
               "Access-Control-Request-Headers are not whitelisted by the resource's CORS "
               "spec.");
        return;
    }
    reply_rule(r->x, rule, origin, allowed);
    if (headers)
        reply_headers(r->x, headers);
    exchange_respond(r->x, 200, NULL, NULL, 0);
}
