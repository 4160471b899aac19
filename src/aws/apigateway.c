#include "aws/apigateway.h"

#include "aws/json.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 512, LIST_LIMIT = 500 };

/* `path` may bring a query behind a "?". */
static json_t *call(struct aws_client *client, const char *operation, const char *method,
                    const char *path, json_t *body, struct err *err)
{
    char bare[PATH_BYTES];
    const char *query = strchr(path, '?');
    snprintf(bare, sizeof bare, "%.*s", query ? (int)(query - path) : (int)strlen(path), path);
    struct aws_request request = {.service = AWS_API_GATEWAY,
                                  .operation = operation,
                                  .method = method,
                                  .path = bare,
                                  .query = query ? query + 1 : NULL};
    return aws_json_send(client, &request, body, err);
}

/* Ids are the service's own and go into paths: letters and digits only. */
static int take_id(const json_t *object, const char *what, char id[APIGATEWAY_ID_BYTES],
                   struct err *err)
{
    const char *text = aws_json_text(object, "id");
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    if (length == 0 || text[length] || length >= APIGATEWAY_ID_BYTES)
        return err_set(err, ERR_CORRUPT, "%s: the answer has no usable id", what);
    memcpy(id, text, length + 1);
    return 0;
}

/* The list in an answer: "item" on the wire, "items" with some that speak like it. */
static const json_t *items(const json_t *answer)
{
    const json_t *list = json_object_get(answer, "item");
    return list ? list : json_object_get(answer, "items");
}

/* The first of the list whose member has that text, NULL when none has. */
static const json_t *find(const json_t *list, const char *member, const char *text)
{
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        if (strcmp(aws_json_text(item, member), text) == 0)
            return item;
    }
    return NULL;
}

/* A list of things, and the member that tells them apart. */
struct list {
    const char *operation, *path, *member;
};

/* Look a thing up in a list; 1 found with its id, 0 not there, -1. */
static int find_id(struct aws_client *client, const struct list *list, const char *text,
                   char id[APIGATEWAY_ID_BYTES], struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s?limit=%d", list->path, LIST_LIMIT);
    json_t *answer = call(client, list->operation, "GET", path, NULL, err);
    if (!answer)
        return -1;
    const json_t *item = find(items(answer), list->member, text);
    int found = item ? (take_id(item, list->operation, id, err) < 0 ? -1 : 1) : 0;
    json_decref(answer);
    return found;
}

static int make(struct aws_client *client, const char *operation, const char *path, json_t *body,
                char id[APIGATEWAY_ID_BYTES], struct err *err)
{
    json_t *answer = call(client, operation, "POST", path, body, err);
    int done = answer ? take_id(answer, operation, id, err) : -1;
    json_decref(answer);
    return done < 0 ? -1 : 1;
}

int aws_apigateway_put_api(struct aws_client *client, const char *name,
                           char id[APIGATEWAY_ID_BYTES], struct err *err)
{
    static const struct list apis = {"GetRestApis", "/restapis", "name"};
    int found = find_id(client, &apis, name, id, err);
    if (found != 0)
        return found < 0 ? -1 : 0;
    return make(client, "CreateRestApi", "/restapis",
                json_pack("{s:s, s:s}", "name", name, "description", "face recognition (ken)"), id,
                err);
}

static int lists(const json_t *list, const char *text)
{
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), text) == 0)
            return 1;
    }
    return 0;
}

/* A media type's "/" is "~1" in a patch's path (RFC 6901). */
static json_t *patch_of_type(const char *type)
{
    char path[200];
    int before = (int)strcspn(type, "/");
    snprintf(path, sizeof path, "/binaryMediaTypes/%.*s~1%s", before, type,
             type[before] ? type + before + 1 : "");
    return json_pack("{s:s, s:s}", "op", "add", "path", path);
}

int aws_apigateway_put_binary_types(struct aws_client *client, const char *api,
                                    const char *const *types, struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/restapis/%s", api);
    json_t *now = call(client, "GetRestApi", "GET", path, NULL, err);
    if (!now)
        return -1;
    json_t *patches = json_array();
    for (; *types; types++)
        if (!lists(json_object_get(now, "binaryMediaTypes"), *types))
            json_array_append_new(patches, patch_of_type(*types));
    json_decref(now);
    if (json_array_size(patches) == 0) {
        json_decref(patches);
        return 0;
    }
    json_t *answer = call(client, "UpdateRestApi", "PATCH", path,
                          json_pack("{s:o}", "patchOperations", patches), err);
    json_decref(answer);
    return answer ? 1 : -1;
}

int aws_apigateway_put_resource(struct aws_client *client, const char *api, const char *path_part,
                                char id[APIGATEWAY_ID_BYTES], struct err *err)
{
    char path[PATH_BYTES], wanted[256], root[APIGATEWAY_ID_BYTES];
    snprintf(path, sizeof path, "/restapis/%s/resources", api);
    snprintf(wanted, sizeof wanted, "/%s", path_part);
    const struct list resources = {"GetResources", path, "path"};
    int found = find_id(client, &resources, wanted, id, err);
    if (found != 0)
        return found < 0 ? -1 : 0;
    found = find_id(client, &resources, "/", root, err);
    if (found <= 0)
        return found < 0 ? -1 : err_set(err, ERR_CORRUPT, "GetResources: the API has no root");
    char parent[PATH_BYTES];
    snprintf(parent, sizeof parent, "/restapis/%s/resources/%s", api, root);
    return make(client, "CreateResource", parent, json_pack("{s:s}", "pathPart", path_part), id,
                err);
}

/* "arn:aws:lambda:REGION:...": the integration's URI for the function. */
static void integration_uri(const struct aws_config *config, const char *function_arn, char *out,
                            size_t out_bytes)
{
    snprintf(out, out_bytes,
             "arn:aws:apigateway:%s:lambda:path/2015-03-31/functions/%s/invocations",
             config->region, function_arn);
}

static const char *auth_type(enum apigateway_auth auth)
{
    return auth == APIGATEWAY_IAM ? "AWS_IAM" : "NONE";
}

static int is_as_wanted(const json_t *now, const struct apigateway_method *m, const char *uri)
{
    const json_t *integration = json_object_get(now, "methodIntegration");
    int key = json_is_true(json_object_get(now, "apiKeyRequired"));
    return strcmp(aws_json_text(now, "authorizationType"), auth_type(m->auth)) == 0 &&
           key == (m->auth == APIGATEWAY_KEY) &&
           strcmp(aws_json_text(integration, "uri"), uri) == 0;
}

static void method_path(const struct apigateway_method *m, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "/restapis/%s/resources/%s/methods/%s", m->api, m->resource,
             m->http_method);
}

int aws_apigateway_get_auth(struct aws_client *client, struct apigateway_method *method,
                            struct err *err)
{
    char path[PATH_BYTES];
    method_path(method, path);
    json_t *now = call(client, "GetMethod", "GET", path, NULL, err);
    if (!now)
        return err->code == ERR_NOT_FOUND ? 0 : -1;
    method->auth = json_is_true(json_object_get(now, "apiKeyRequired"))           ? APIGATEWAY_KEY
                   : strcmp(aws_json_text(now, "authorizationType"), "NONE") == 0 ? APIGATEWAY_NONE
                                                                                  : APIGATEWAY_IAM;
    json_decref(now);
    return 1;
}

static json_t *parameters(const struct apigateway_method *m)
{
    char name[160];
    json_t *object = json_object();
    for (const char *const *p = m->query_parameters; *p; p++) {
        snprintf(name, sizeof name, "method.request.querystring.%s", *p);
        json_object_set_new(object, name, json_true());
    }
    return object;
}

static int put_method(struct aws_client *client, const struct apigateway_method *m,
                      const char *path, const char *uri, struct err *err)
{
    char below[PATH_BYTES + 16];
    json_t *body =
        json_pack("{s:s, s:b, s:o}", "authorizationType", auth_type(m->auth), "apiKeyRequired",
                  m->auth == APIGATEWAY_KEY, "requestParameters", parameters(m));
    json_t *answer = call(client, "PutMethod", "PUT", path, body, err);
    json_decref(answer);
    if (!answer)
        return -1;
    snprintf(below, sizeof below, "%s/integration", path);
    body = json_pack("{s:s, s:s, s:s, s:s}", "type", "AWS_PROXY", "httpMethod", "POST", "uri", uri,
                     "passthroughBehavior", "WHEN_NO_MATCH");
    answer = call(client, "PutIntegration", "PUT", below, body, err);
    json_decref(answer);
    return answer ? 1 : -1;
}

int aws_apigateway_put_method(struct aws_client *client, const struct apigateway_method *method,
                              struct err *err)
{
    char path[PATH_BYTES], uri[PATH_BYTES];
    method_path(method, path);
    integration_uri(aws_client_config(client), method->function_arn, uri, sizeof uri);
    json_t *now = call(client, "GetMethod", "GET", path, NULL, err);
    if (!now && err->code != ERR_NOT_FOUND)
        return -1;
    int same = now && is_as_wanted(now, method, uri), there = now != NULL;
    json_decref(now);
    if (same)
        return 0;
    if (there) { /* a method's authorization is part of it: make it anew */
        json_t *gone = call(client, "DeleteMethod", "DELETE", path, NULL, err);
        json_decref(gone);
        if (!gone)
            return -1;
    }
    return put_method(client, method, path, uri, err);
}

int aws_apigateway_has_stage(struct aws_client *client, const char *api, const char *stage,
                             struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/restapis/%s/stages/%s", api, stage);
    json_t *answer = call(client, "GetStage", "GET", path, NULL, err);
    json_decref(answer);
    if (answer)
        return 1;
    return err->code == ERR_NOT_FOUND ? 0 : -1;
}

int aws_apigateway_deploy(struct aws_client *client, const char *api, const char *stage,
                          struct err *err)
{
    char path[PATH_BYTES], id[APIGATEWAY_ID_BYTES];
    snprintf(path, sizeof path, "/restapis/%s/deployments", api);
    return make(client, "CreateDeployment", path, json_pack("{s:s}", "stageName", stage), id, err);
}

/* The key of that name with its value; 1 found, 0 none, -1. */
static int find_key(struct aws_client *client, const char *name, char id[APIGATEWAY_ID_BYTES],
                    char key[APIGATEWAY_KEY_BYTES], struct err *err)
{
    json_t *answer =
        call(client, "GetApiKeys", "GET", "/apikeys?includeValues=true&limit=500", NULL, err);
    if (!answer)
        return -1;
    const json_t *item = find(items(answer), "name", name);
    int found = item ? (take_id(item, "GetApiKeys", id, err) < 0 ? -1 : 1) : 0;
    if (found == 1)
        snprintf(key, APIGATEWAY_KEY_BYTES, "%s", aws_json_text(item, "value"));
    json_decref(answer);
    return found;
}

static int make_key(struct aws_client *client, const char *name, char id[APIGATEWAY_ID_BYTES],
                    char key[APIGATEWAY_KEY_BYTES], struct err *err)
{
    json_t *answer = call(client, "CreateApiKey", "POST", "/apikeys",
                          json_pack("{s:s, s:b}", "name", name, "enabled", 1), err);
    int done = answer ? take_id(answer, "CreateApiKey", id, err) : -1;
    if (done == 0)
        snprintf(key, APIGATEWAY_KEY_BYTES, "%s", aws_json_text(answer, "value"));
    json_decref(answer);
    return done;
}

/* Does the plan hold that stage of that API? */
static int has_stage(const json_t *plan, const char *api, const char *stage)
{
    size_t index;
    const json_t *item;
    json_array_foreach(json_object_get(plan, "apiStages"), index, item)
    {
        if (strcmp(aws_json_text(item, "apiId"), api) == 0 &&
            strcmp(aws_json_text(item, "stage"), stage) == 0)
            return 1;
    }
    return 0;
}

/* A plan that is there may be of an earlier API of the same name: add the stage to it. */
static int add_stage(struct aws_client *client, const char *plan, const char *api,
                     const char *stage, struct err *err)
{
    char path[PATH_BYTES], value[256];
    snprintf(path, sizeof path, "/usageplans/%s", plan);
    snprintf(value, sizeof value, "%s:%s", api, stage);
    json_t *answer = call(client, "UpdateUsagePlan", "PATCH", path,
                          json_pack("{s:[{s:s, s:s, s:s}]}", "patchOperations", "op", "add", "path",
                                    "/apiStages", "value", value),
                          err);
    json_decref(answer);
    return answer ? 0 : -1;
}

static int put_plan(struct aws_client *client, const char *name, const char *api, const char *stage,
                    char id[APIGATEWAY_ID_BYTES], struct err *err)
{
    json_t *answer = call(client, "GetUsagePlans", "GET", "/usageplans?limit=500", NULL, err);
    if (!answer)
        return -1;
    const json_t *plan = find(items(answer), "name", name);
    int found = plan ? (take_id(plan, "GetUsagePlans", id, err) < 0 ? -1 : 1) : 0;
    int complete = found == 1 && has_stage(plan, api, stage);
    json_decref(answer);
    if (found < 0)
        return -1;
    if (found == 1)
        return complete ? 0 : add_stage(client, id, api, stage, err);
    return make(
        client, "CreateUsagePlan", "/usageplans",
        json_pack("{s:s, s:[{s:s, s:s}]}", "name", name, "apiStages", "apiId", api, "stage", stage),
        id, err);
}

int aws_apigateway_put_key(struct aws_client *client, const char *name, const char *api,
                           const char *stage, char key[APIGATEWAY_KEY_BYTES], struct err *err)
{
    char key_id[APIGATEWAY_ID_BYTES], plan[APIGATEWAY_ID_BYTES], path[PATH_BYTES];
    int found = find_key(client, name, key_id, key, err);
    if (found < 0 || (found == 0 && make_key(client, name, key_id, key, err) < 0) ||
        put_plan(client, name, api, stage, plan, err) < 0)
        return -1;
    snprintf(path, sizeof path, "/usageplans/%s/keys", plan);
    json_t *answer = call(client, "CreateUsagePlanKey", "POST", path,
                          json_pack("{s:s, s:s}", "keyId", key_id, "keyType", "API_KEY"), err);
    json_decref(answer);
    if (!answer && err->code != ERR_EXISTS) /* it is in the plan already */
        return -1;
    return found == 0;
}

int aws_apigateway_url(const struct aws_config *config, const char *api, const char *stage,
                       const char *path_part, char url[APIGATEWAY_URL_BYTES], struct err *err)
{
    int length;
    if (aws_config_is_custom(config, AWS_API_GATEWAY))
        length = snprintf(url, APIGATEWAY_URL_BYTES, "%s/restapis/%s/%s/_user_request_/%s",
                          config->endpoints[AWS_API_GATEWAY], api, stage, path_part);
    else
        length =
            snprintf(url, APIGATEWAY_URL_BYTES, "https://%s.execute-api.%s.amazonaws.com/%s/%s",
                     api, config->region, stage, path_part);
    if (length < 0 || length >= APIGATEWAY_URL_BYTES)
        return err_set(err, ERR_TOO_BIG, "API URL: it is too long");
    return 0;
}
