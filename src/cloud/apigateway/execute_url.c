#include "base/log.h"
#include "cloud/access.h"
#include "cloud/apigateway/cors.h"
#include "cloud/apigateway/target.h"
#include "cloud/lambda/download.h"
#include "cloud/lambda/permission.h"
#include "cloud/lambda/url.h"

#include <stdlib.h>
#include <string.h>

/* Requests to function URLs. */

/* The id in front of ".lambda-url." in Host, or behind "/_lambda-url/"; the path after it. */
static const char *split(struct exchange *x, struct target *t)
{
    static const char prefix[] = "/_lambda-url/", mark[] = ".lambda-url.";
    const char *host = exchange_header(x, "Host");
    const char *end = host ? strstr(host, mark) : NULL, *start = host, *path = x->path;
    if (strncmp(path, prefix, sizeof prefix - 1) == 0) {
        start = path + sizeof prefix - 1;
        end = start + strcspn(start, "/");
        path = end;
    }
    if (!end || end == start || (size_t)(end - start) >= sizeof t->api_id)
        return NULL;
    memcpy(t->api_id, start, (size_t)(end - start));
    t->api_id[end - start] = 0;
    return *path ? path : "/";
}

#define FORBIDDEN                                                                                  \
    "Forbidden. For troubleshooting Function URL authorization issues, see: "                      \
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"

static int authorize(struct execution *e, struct exchange *x, struct target *t,
                     const struct lambda_url *url)
{
    if (strcmp(target_text(url->config, "AuthType"), "NONE") == 0) {
        if (lambda_permits_anybody(e->cloud->lambda, url))
            return 0;
        log_line(LOG_WARN,
                 "%s: its URL is open to nobody (lambda add-permission --action "
                 "lambda:InvokeFunctionUrl --principal '*' --function-url-auth-type NONE)",
                 url->arn);
        return target_refuse(x, t, 403, FORBIDDEN);
    }
    if (!x->identity.access_key_id)
        return target_refuse(x, t, 403, FORBIDDEN);
    char *policy = url->policy ? json_dumps(url->policy, JSON_COMPACT) : NULL;
    int result =
        exchange_authorize_with(x, &(struct access_question){.action = "lambda:InvokeFunctionUrl",
                                                             .resource = url->arn,
                                                             .resource_policy = policy});
    free(policy);
    return result;
}

static int invoke(struct execution *e, struct exchange *x, struct target *t,
                  const struct lambda_url *url)
{
    struct event_request request;
    const json_t *cors = json_object_get(url->config, "Cors");
    if (http_cors_answer_preflight(x, cors))
        return -1;
    http_cors_add_headers(x, cors);
    if (authorize(e, x, t, url) < 0 || target_read_query(x, t) < 0 ||
        target_event(e, x, t, &request) < 0)
        return -1;
    request.route_key = "$default";
    struct invocation invocation = {.function = url->arn, .owns_cors = cors != NULL};
    invocation.event = event_create_v2(&request, &invocation.event_bytes);
    return target_invoke(e, x, t, &invocation);
}

void execution_handle_url(void *self, struct exchange *x)
{
    struct execution *e = self;
    struct lambda_url url;
    if (lambda_is_code_link(x)) {
        lambda_send_code(e->cloud->lambda, x);
        return;
    }
    struct target *t = arena_new(&x->arena, struct target, 1);
    if (!t) {
        wait_respond_message(x, WAIT_URL, 500, "Internal Server Error");
        return;
    }
    t->form = WAIT_URL;
    t->path = split(x, t);
    if (!t->path || lambda_url_find(e->cloud->lambda, t->api_id, &url) < 0) {
        static const char nobody[] = "{\"Message\":null}"; /* AWS does not tell more */
        t->refused = 403;
        exchange_reply_header(x, "x-amzn-ErrorType", "AccessDeniedException");
        exchange_respond(x, 403, "application/json", nobody, sizeof nobody - 1);
        return;
    }
    invoke(e, x, t, &url);
    lambda_url_release(&url);
}
