#include "cli/deployment.h"

#include "aws/dynamodb.h"
#include "aws/lambda.h"
#include "aws/s3.h"

#include <stdio.h>
#include <string.h>

static void report(struct deployment_work *work, const char *what, const char *name, int changed)
{
    work->report(work->context, what, name, changed ? "created" : "unchanged");
}

static int put_bucket(struct deployment_work *work, const char *bucket, struct err *err)
{
    int made = aws_s3_create_bucket(work->client, bucket, err);
    if (made < 0)
        return -1;
    report(work, "bucket", bucket, made);
    return 0;
}

static int put_table(struct deployment_work *work, struct err *err)
{
    const struct deployment_wish *wish = work->wish;
    int made = aws_dynamodb_create_table(work->client, wish->table, "name", wish->wait_ms, err);
    if (made < 0)
        return -1;
    report(work, "table", wish->table, made);
    return 0;
}

/* What the function may do, and no more. */
static void put_policy(const struct deployment_work *work, char *out, size_t out_bytes)
{
    const struct deployment_wish *wish = work->wish;
    snprintf(out, out_bytes,
             "{\"Version\":\"2012-10-17\",\"Statement\":["
             "{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:PutObject\"],"
             "\"Resource\":\"arn:aws:s3:::%s/*\"},"
             "{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::%s\"},"
             "{\"Effect\":\"Allow\",\"Action\":\"dynamodb:GetItem\",\"Resource\":"
             "\"arn:aws:dynamodb:%s:*:table/%s\"},"
             "{\"Effect\":\"Allow\",\"Action\":[\"logs:CreateLogGroup\",\"logs:CreateLogStream\","
             "\"logs:PutLogEvents\"],\"Resource\":\"*\"}]}",
             wish->frames_bucket, wish->frames_bucket, aws_client_config(work->client)->region,
             wish->table);
}

static int put_role(struct deployment_work *work, struct err *err)
{
    const struct deployment_wish *wish = work->wish;
    const struct aws_config *config = aws_client_config(work->client);
    char policy[2048];
    if (wish->role) {
        snprintf(work->role, sizeof work->role, "%s", wish->role);
        return 0;
    }
    if (aws_config_is_custom(config, AWS_LAMBDA) && !aws_config_is_custom(config, AWS_IAM)) {
        /* an engine for functions alone, which takes any role */
        snprintf(work->role, sizeof work->role, "arn:aws:iam::000000000000:role/%.150s",
                 wish->function);
        return 0;
    }
    put_policy(work, policy, sizeof policy);
    int made = aws_iam_put_function_role(work->client, wish->function, policy, work->role, err);
    if (made < 0)
        return -1;
    report(work, "role", wish->function, made);
    return 0;
}

static struct lambda_code code_of(const struct deployment_work *work)
{
    return work->image ? (struct lambda_code){.image = work->image_uri}
                       : (struct lambda_code){.zip = work->zip->data, .zip_bytes = work->zip->size};
}

static struct lambda_function describe(const struct deployment_work *work, const json_t *variables)
{
    const struct deployment_wish *wish = work->wish;
    return (struct lambda_function){
        .name = wish->function,
        .role = work->role,
        .runtime = "provided.al2023",
        .handler = "bootstrap",
        .architecture = wish->architecture,
        .memory_mb = wish->memory_mb,
        .timeout_s = wish->timeout_s,
        .environment = variables,
        .code = code_of(work),
    };
}

static struct ecr_blob blob_of(const struct oci_blob *blob)
{
    return (struct ecr_blob){blob->digest, blob->data.data, blob->data.size};
}

/* 1: pushed, 0: the registry has it. */
static int push_image(struct deployment_work *work, const char *tag, struct err *err)
{
    const struct oci_image *image = work->image;
    struct ecr_blob blobs[OCI_LAYERS + 1];
    for (int i = 0; i < OCI_LAYERS; i++)
        blobs[i] = blob_of(&image->layers[i]);
    blobs[OCI_LAYERS] = blob_of(&image->config);
    const struct ecr_image push = {.repository = work->wish->repository,
                                   .tag = tag,
                                   .blobs = blobs,
                                   .blob_count = OCI_LAYERS + 1,
                                   .manifest = blob_of(&image->manifest),
                                   .manifest_type = OCI_MANIFEST_TYPE};
    return aws_ecr_put_image(work->client, &push, err);
}

/* The image goes into the registry, and the function will name it by its digest. */
static int put_image(struct deployment_work *work, struct err *err)
{
    char uri[ECR_URI_BYTES], tag[32];
    const char *repository = work->wish->repository;
    if (!work->image)
        return 0;
    const char *digest = work->image->manifest.digest;
    int made = aws_ecr_put_repository(work->client, repository, uri, err);
    if (made < 0)
        return -1;
    report(work, "repository", repository, made);
    snprintf(tag, sizeof tag, "ken-%.12s", strchr(digest, ':') + 1);
    int pushed = push_image(work, tag, err);
    if (pushed < 0)
        return -1;
    report(work, "image", tag, pushed);
    snprintf(work->image_uri, sizeof work->image_uri, "%s@%s", uri, digest);
    return 0;
}

static const char *result_of(int bits)
{
    if (bits & LAMBDA_CREATED)
        return "created";
    return bits ? "updated" : "unchanged";
}

/* The function finds objects and records where they are, when that is not where it runs; only then
 * is there a key of theirs to hand on. */
static void add_engine(const struct aws_config *config, enum aws_service service, json_t *variables)
{
    struct aws_service_variables names = aws_config_variables(service);
    const struct aws_key *key = &config->own_keys[service];
    if (strcmp(config->endpoints[service], config->endpoints[AWS_LAMBDA]) == 0)
        return;
    json_object_set_new(variables, names.endpoint, json_string(config->endpoints[service]));
    if (!key->access_key_id[0])
        return;
    json_object_set_new(variables, names.access_key_id, json_string(key->access_key_id));
    json_object_set_new(variables, names.secret_access_key, json_string(key->secret_access_key));
}

static int put_function(struct deployment_work *work, struct err *err)
{
    const struct deployment_wish *wish = work->wish;
    json_t *variables =
        json_pack("{s:s, s:s}", "KEN_TABLE", wish->table, "KEN_GALLERY_KEY", wish->gallery_key);
    add_engine(aws_client_config(work->client), AWS_S3, variables);
    add_engine(aws_client_config(work->client), AWS_DYNAMODB, variables);
    struct lambda_function function = describe(work, variables);
    int done = aws_lambda_put_function(work->client, &function, wish->wait_ms, work->function_arn,
                                       sizeof work->function_arn, err);
    json_decref(variables);
    if (done < 0)
        return err_wrap(err, "function %s", wish->function);
    work->report(work->context, "function", wish->function, result_of(done));
    return 0;
}

/* GET asks about a frame in the bucket, POST brings the frame. */
static const char *const http_methods[] = {"GET", "POST"};
enum { HTTP_METHODS = sizeof http_methods / sizeof *http_methods };

static int put_method(struct deployment_work *work, const char *http_method, int *changed,
                      struct err *err)
{
    static const char *const parameters[] = {"BucketName", "ImageName", NULL};
    struct apigateway_method method = {work->api_id,       work->resource_id, http_method,
                                       work->function_arn, work->auth,        parameters};
    int done = aws_apigateway_put_method(work->client, &method, err);
    if (done < 0)
        return -1;
    work->report(work->context, "method", http_method, done ? "updated" : "unchanged");
    *changed |= done;
    return 0;
}

/* "arn:aws:lambda:REGION:ACCOUNT:function:NAME": the account. */
static void account_of(const char *arn, char *out, size_t out_bytes)
{
    for (int i = 0; i < 4 && arn; i++) {
        arn = strchr(arn, ':');
        arn += arn != NULL;
    }
    snprintf(out, out_bytes, "%.*s", arn ? (int)strcspn(arn, ":") : 0, arn ? arn : "");
}

static int put_permission(struct deployment_work *work, const char *http_method, struct err *err)
{
    const struct deployment_wish *wish = work->wish;
    char statement[100], source[512], account[32];
    account_of(work->function_arn, account, sizeof account);
    snprintf(statement, sizeof statement, "apigateway-%s%s", work->api_id,
             strcmp(http_method, "GET") == 0 ? "" : "-post");
    snprintf(source, sizeof source, "arn:aws:execute-api:%s:%s:%s/*/%s/%s",
             aws_client_config(work->client)->region, account, work->api_id, http_method,
             wish->resource);
    int made = aws_lambda_add_permission(work->client, wish->function, statement,
                                         "apigateway.amazonaws.com", source, err);
    if (made < 0)
        return -1;
    report(work, "permission", statement, made);
    return 0;
}

/* Who may call is not changed by a deployment that does not say. */
static int choose_auth(struct deployment_work *work, struct err *err)
{
    struct apigateway_method method = {
        .api = work->api_id, .resource = work->resource_id, .http_method = http_methods[0]};
    work->auth = work->wish->auth;
    int there = work->wish->keeps_auth ? aws_apigateway_get_auth(work->client, &method, err) : 0;
    if (there > 0)
        work->auth = method.auth;
    return there < 0 ? -1 : 0;
}

static int put_methods(struct deployment_work *work, int *changed, struct err *err)
{
    static const char *const pictures[] = {"image/png", "image/jpeg", NULL};
    if (choose_auth(work, err) < 0)
        return -1;
    int done = aws_apigateway_put_binary_types(work->client, work->api_id, pictures, err);
    if (done < 0)
        return -1;
    *changed |= done;
    for (int i = 0; i < HTTP_METHODS; i++)
        if (put_method(work, http_methods[i], changed, err) < 0 ||
            put_permission(work, http_methods[i], err) < 0)
            return -1;
    return 0;
}

static int put_api(struct deployment_work *work, struct err *err)
{
    const struct deployment_wish *wish = work->wish;
    int changed = 0;
    int made = aws_apigateway_put_api(work->client, wish->api, work->api_id, err);
    if (made < 0)
        return -1;
    report(work, "API", wish->api, made);
    made = aws_apigateway_put_resource(work->client, work->api_id, wish->resource,
                                       work->resource_id, err);
    if (made < 0)
        return -1;
    report(work, "resource", wish->resource, made);
    if (put_methods(work, &changed, err) < 0)
        return -1;
    int live = aws_apigateway_has_stage(work->client, work->api_id, wish->stage, err);
    if (live < 0 || ((changed || !live) &&
                     aws_apigateway_deploy(work->client, work->api_id, wish->stage, err) < 0))
        return -1;
    work->report(work->context, "stage", wish->stage,
                 !live     ? "created"
                 : changed ? "updated"
                           : "unchanged");
    return 0;
}

static int put_key(struct deployment_work *work, struct err *err)
{
    const struct deployment_wish *wish = work->wish;
    if (work->auth != APIGATEWAY_KEY)
        return 0;
    int made = aws_apigateway_put_key(work->client, wish->api, work->api_id, wish->stage,
                                      work->api_key, err);
    if (made < 0)
        return -1;
    report(work, "API key", wish->api, made);
    return 0;
}

int deployment_run(struct deployment_work *work, struct err *err)
{
    const struct deployment_wish *wish = work->wish;
    if (put_bucket(work, wish->frames_bucket, err) < 0 ||
        put_bucket(work, wish->videos_bucket, err) < 0 || put_table(work, err) < 0 ||
        put_role(work, err) < 0 || put_image(work, err) < 0 || put_function(work, err) < 0 ||
        put_api(work, err) < 0 || put_key(work, err) < 0)
        return -1;
    return aws_apigateway_url(aws_client_config(work->client), work->api_id, wish->stage,
                              wish->resource, work->api_url, err);
}

int deployment_run_code_only(struct deployment_work *work, struct err *err)
{
    const struct deployment_wish *wish = work->wish;
    if (put_image(work, err) < 0)
        return -1;
    struct lambda_code code = code_of(work);
    int done = aws_lambda_put_code(work->client, wish->function, &code, wish->wait_ms, err);
    if (done < 0)
        return err_wrap(err, "function %s", wish->function);
    work->report(work->context, "function", wish->function, result_of(done));
    return 0;
}

json_t *deployment_json(const struct deployment_work *work)
{
    static const char *const auths[] = {
        [APIGATEWAY_NONE] = "none", [APIGATEWAY_IAM] = "iam", [APIGATEWAY_KEY] = "key"};
    const struct deployment_wish *wish = work->wish;
    const struct aws_config *config = aws_client_config(work->client);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "region", config->region,
                     "endpoint", config->endpoints[AWS_LAMBDA], "frames_bucket",
                     wish->frames_bucket, "videos_bucket", wish->videos_bucket, "table",
                     wish->table, "function", wish->function, "api_id", work->api_id, "api_url",
                     work->api_url, "auth", auths[work->auth], "api_key", work->api_key);
}
