#include "cloud/apigateway/event.h"
#include "cloud/apigateway/http_routes.h"
#include "cloud/apigateway/patch.h"
#include "cloud/apigateway/path.h"
#include "cloud/apigateway/response.h"
#include "cloud/apigateway/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Responses of functions */

static void malformed_responses_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "null",
        "7",
        "\"x\"",
        "[]",
        "{",
        "{\"statusCode\": 200",
        "{\"key\": \"105.png\"}",
        "{\"statusCode\": \"x\"}",
        "{\"statusCode\": \"\"}",
        "{\"statusCode\": 99}",
        "{\"statusCode\": 100}", /* an interim answer is none, and libmicrohttpd sends none */
        "{\"statusCode\": 600}",
        "{\"statusCode\": 200.5}",
        "{\"statusCode\": null}",
        "{\"statusCode\": 200, \"body\": {}}",
        "{\"statusCode\": 200, \"body\": 7}",
        "{\"statusCode\": 200, \"headers\": []}",
        "{\"statusCode\": 200, \"headers\": {\"a\": {}}}",
        "{\"statusCode\": 200, \"headers\": {\"a\": \"x\\r\\nSet-Cookie: y\"}}",
        "{\"statusCode\": 200, \"headers\": {\"a b\": \"x\"}}",
        "{\"statusCode\": 200, \"headers\": {\"\": \"x\"}}",
        "{\"statusCode\": 200, \"headers\": {\"a\": \"x\\u0000y\"}}",
        "{\"statusCode\": 200, \"multiValueHeaders\": {\"a\": \"x\"}}",
        "{\"statusCode\": 200, \"multiValueHeaders\": {\"a\": [null]}}",
        "{\"statusCode\": 200, \"isBase64Encoded\": \"true\"}",
        "{\"statusCode\": 200, \"body\": \"abc\", \"isBase64Encoded\": true}",
        "{\"statusCode\": 200, \"body\": \"!!!!\", \"isBase64Encoded\": true}",
        "{\"statusCode\": 200, \"body\": \"\xff\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct proxy_response response;
        struct err err = {0};
        if (proxy_response_parse(wrong[i], strlen(wrong[i]), &response, &err) == 0)
            fail_msg("accepted: %s", wrong[i]);
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static struct proxy_response parse(const char *text)
{
    struct proxy_response response;
    struct err err = {0};
    if (proxy_response_parse(text, strlen(text), &response, &err) < 0)
        fail_msg("%s: %s", text, err.message);
    return response;
}

static void a_response_says_status_headers_and_body(void **state)
{
    (void)state;
    struct proxy_response r =
        parse("{\"statusCode\": 422, \"headers\": {\"X-A\": \"1\", \"X-N\": 2, \"X-B\": true, "
              "\"content-type\": \"text/plain\", \"Content-Length\": \"999\", \"X-Two\": \"s\"}, "
              "\"multiValueHeaders\": {\"x-two\": [\"a\", \"b\"]}, \"body\": \"h\\u00fc\"}");
    assert_int_equal(r.status, 422);
    assert_string_equal(r.content_type, "text/plain");
    assert_int_equal(r.body_bytes, 3);
    assert_memory_equal(r.body, "h\xc3\xbc", 3);
    assert_int_equal(r.header_count, 6);
    assert_string_equal(r.headers[0].name, "x-two");
    assert_string_equal(r.headers[0].value, "a");
    assert_string_equal(r.headers[1].value, "b");
    assert_string_equal(r.headers[3].value, "2");
    assert_string_equal(r.headers[4].value, "true");
    assert_string_equal(r.headers[5].name, "x-amzn-Remapped-Content-Length");
    proxy_response_finish(&r);
}

static void fields_left_out_have_defaults(void **state)
{
    (void)state;
    struct proxy_response r = parse("{}");
    assert_int_equal(r.status, 200);
    assert_string_equal(r.content_type, "application/json");
    assert_int_equal(r.body_bytes, 0);
    proxy_response_finish(&r);
    r = parse("{\"statusCode\": \"201\", \"body\": null, \"headers\": null}");
    assert_int_equal(r.status, 201);
    proxy_response_finish(&r);
}

static void a_base64_body_is_decoded(void **state)
{
    (void)state;
    static const struct {
        const char *base64;
        size_t size;
        const char *bytes;
    } rows[] = {{"", 0, ""}, {"AA==", 1, "\0"}, {"AAE=", 2, "\0\1"}, {"AAEC", 3, "\0\1\2"}};
    for (size_t i = 0; i < 4; i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"body\": \"%s\", \"isBase64Encoded\": true}",
                 rows[i].base64);
        struct proxy_response r = parse(text);
        assert_int_equal(r.body_bytes, rows[i].size);
        assert_memory_equal(r.body, rows[i].bytes, rows[i].size);
        proxy_response_finish(&r);
    }
}

/* Paths */

static json_t *make_resources(void)
{
    return json_pack("{s:{s:s,s:s}, s:{s:s,s:s,s:s,s:s}, s:{s:s,s:s,s:s,s:s}, s:{s:s,s:s,s:s,s:s},"
                     " s:{s:s,s:s,s:s,s:s}, s:{s:s,s:s,s:s,s:s}}",
                     "p", "id", "p", "parentId", "root", "q", "id", "q", "parentId", "root",
                     "pathPart", "{proxy+}", "path", "/{proxy+}", "i", "id", "i", "parentId",
                     "root", "pathPart", "{id}", "path", "/{id}", "f", "id", "f", "parentId",
                     "root", "pathPart", "faces", "path", "/faces", "n", "id", "n", "parentId", "f",
                     "pathPart", "{name}", "path", "/faces/{name}", "x", "id", "x", "parentId", "i",
                     "pathPart", "last", "path", "/{id}/last");
}

static const char *find(const struct path_tree *tree, const char *path, struct path_match *match,
                        struct arena *arena)
{
    if (!path_tree_find(tree, path, match, arena))
        return NULL;
    return json_string_value(json_object_get(match->resource, "path"));
}

static void the_most_literal_resource_is_found(void **state)
{
    (void)state;
    struct arena arena;
    struct path_match m;
    arena_init(&arena, 1 << 20);
    json_t *resources = make_resources();
    json_object_del(resources, "p");
    json_object_set_new(resources, "root", json_pack("{s:s, s:s}", "id", "root", "path", "/"));
    struct path_tree *tree = path_tree_create(resources);
    assert_string_equal(find(tree, "/", &m, &arena), "/");
    assert_string_equal(find(tree, "/faces", &m, &arena), "/faces");
    assert_string_equal(find(tree, "/faces/", &m, &arena), "/faces");
    assert_int_equal(m.parameter_count, 0);
    assert_string_equal(find(tree, "/faces/ada", &m, &arena), "/faces/{name}");
    assert_string_equal(m.parameters[0].name, "name");
    assert_string_equal(m.parameters[0].value, "ada");
    assert_string_equal(find(tree, "/other", &m, &arena), "/{id}");
    assert_string_equal(find(tree, "/other/last", &m, &arena), "/{id}/last");
    assert_int_equal(m.parameter_count, 1);
    /* The literal way leads nowhere: the greedy one is taken, with its own parameter only. */
    assert_string_equal(find(tree, "/faces/a/b", &m, &arena), "/{proxy+}");
    assert_int_equal(m.parameter_count, 1);
    assert_string_equal(m.parameters[0].name, "proxy");
    assert_string_equal(m.parameters[0].value, "faces/a/b");
    assert_string_equal(find(tree, "/faces//b", &m, &arena), "/{proxy+}");
    path_tree_destroy(tree);
    json_object_del(resources, "q");
    tree = path_tree_create(resources);
    assert_null(find(tree, "/faces/a/b", &m, &arena));
    assert_null(find(tree, "/x/y", &m, &arena));
    assert_null(find(tree, "", &m, &arena));
    assert_null(find(tree, "x", &m, &arena));
    path_tree_destroy(tree);
    json_decref(resources);
    arena_finish(&arena);
}

static void path_parts_are_names_or_parameters(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "a/b", "{", "{}", "{+}", "{a", "a b", "{a/b}", "{a b}"};
    static const char *const right[] = {"faces", "{id}", "{proxy+}", "a.b-c_d"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (path_part_is_valid(wrong[i]))
            fail_msg("accepted: %s", wrong[i]);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_true(path_part_is_valid(right[i]));
}

/* Events */

static void wrong_encodings_are_refused(void **state)
{
    (void)state;
    struct arena arena;
    struct event_pair pairs[4];
    arena_init(&arena, 1 << 20);
    static const char *const wrong[] = {"a=%", "a=%1", "a=%zz", "%00=x", "a=1&b=2&c=3&d=4&e=5"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(event_split_query(wrong[i], pairs, 4, &arena), -1);
    assert_int_equal(event_split_query("a=1&&b&c=%2B+%c3%bc&=x", pairs, 4, &arena), 4);
    assert_string_equal(pairs[1].name, "b");
    assert_string_equal(pairs[1].value, "");
    assert_string_equal(pairs[2].value, "+ \xc3\xbc");
    arena_finish(&arena);
}

static json_t *make_event(struct event_request *r)
{
    size_t size;
    char *text = event_create(r, &size);
    assert_non_null(text);
    json_t *event = json_loadb(text, size, 0, NULL);
    assert_non_null(event);
    free(text);
    return event;
}

static const char *at(json_t *value, const char *a, const char *b, const char *c)
{
    value = json_object_get(value, a);
    value = b ? json_object_get(value, b) : value;
    value = c ? json_object_get(value, c) : value;
    return json_string_value(value);
}

static void an_event_has_all_of_version_1(void **state)
{
    (void)state;
    json_t *resource = json_pack("{s:s, s:s}", "id", "r1", "path", "/faces/{name}");
    struct path_match match = {
        .resource = resource, .parameters = {{"name", "ada"}}, .parameter_count = 1};
    const struct http_header headers[] = {{"Host", "h"},
                                          {"X-Two", "1"},
                                          {"X-Two", "2"},
                                          {"Authorization", "AWS4-HMAC-SHA256 secret"}};
    const struct event_pair query[] = {{"q", "1"}, {"q", "2"}, {"e", ""}};
    struct event_request r = {.method = "GET",
                              .path = "/faces/ada",
                              .headers = headers,
                              .header_count = 4,
                              .query = query,
                              .query_count = 3,
                              .match = &match,
                              .api_id = "api",
                              .stage = "prod",
                              .deployment_id = "d",
                              .account_id = "000000000000",
                              .request_id = "id",
                              .source_ip = "127.0.0.1",
                              .domain_name = "h",
                              .access_key_id = "AKIA",
                              .user_arn = "arn",
                              .unix_ms = 1428582896000};
    json_t *event = make_event(&r);
    assert_string_equal(at(event, "resource", NULL, NULL), "/faces/{name}");
    assert_string_equal(at(event, "path", NULL, NULL), "/faces/ada");
    assert_string_equal(at(event, "httpMethod", NULL, NULL), "GET");
    assert_string_equal(at(event, "headers", "X-Two", NULL), "2");
    assert_int_equal(
        json_array_size(json_object_get(json_object_get(event, "multiValueHeaders"), "X-Two")), 2);
    assert_null(at(event, "headers", "Authorization", NULL));
    assert_string_equal(at(event, "queryStringParameters", "q", NULL), "2");
    assert_string_equal(at(event, "queryStringParameters", "e", NULL), "");
    assert_string_equal(at(event, "pathParameters", "name", NULL), "ada");
    assert_true(json_is_null(json_object_get(event, "stageVariables")));
    assert_true(json_is_null(json_object_get(event, "body")));
    assert_true(json_is_false(json_object_get(event, "isBase64Encoded")));
    assert_string_equal(at(event, "requestContext", "path", NULL), "/prod/faces/ada");
    assert_string_equal(at(event, "requestContext", "requestTime", NULL),
                        "09/Apr/2015:12:34:56 +0000");
    assert_string_equal(at(event, "requestContext", "identity", "accessKey"), "AKIA");
    assert_string_equal(at(event, "requestContext", "identity", "sourceIp"), "127.0.0.1");
    json_decref(event);
    json_decref(resource);
}

static void binary_bodies_go_as_base64(void **state)
{
    (void)state;
    json_t *resource = json_pack("{s:s, s:s}", "id", "r1", "path", "/");
    struct path_match match = {.resource = resource};
    const struct http_header header = {"content-type", "image/png; x"};
    struct event_request r = {.method = "POST",
                              .path = "/",
                              .headers = &header,
                              .header_count = 1,
                              .match = &match,
                              .body = "\x89PNG",
                              .body_bytes = 4,
                              .api_id = "a",
                              .stage = "s",
                              .source_ip = ""};
    json_t *event = make_event(&r); /* not UTF-8 */
    assert_string_equal(at(event, "body", NULL, NULL), "iVBORw==");
    assert_true(json_is_true(json_object_get(event, "isBase64Encoded")));
    json_decref(event);
    r.body = "a\0b";
    r.body_bytes = 3;
    event = make_event(&r);
    assert_string_equal(at(event, "body", NULL, NULL), "YQBi");
    json_decref(event);
    r.body = "text";
    r.body_bytes = 4;
    event = make_event(&r);
    assert_string_equal(at(event, "body", NULL, NULL), "text");
    json_decref(event);
    static const char *const patterns[] = {"image/png", "image/*", "*/*"};
    for (size_t i = 0; i < 3; i++) {
        json_t *types = json_pack("[s, s]", "audio/x", patterns[i]);
        r.binary_media_types = types;
        event = make_event(&r);
        assert_true(json_is_true(json_object_get(event, "isBase64Encoded")));
        json_decref(event);
        json_decref(types);
    }
    json_decref(resource);
}

/* Patches */

static int patch(json_t *object, const char *op, const char *path, const char *value)
{
    static const char *const allowed[] = {"name", "throttle", "types", "enabled", NULL};
    struct err err = {0};
    json_t *request = json_pack("{s:[{s:s, s:s, s:s*}]}", "patchOperations", "op", op, "path", path,
                                "value", value);
    int result = patch_apply(object, request, allowed, &err);
    json_decref(request);
    return result;
}

static void wrong_patches_are_refused(void **state)
{
    (void)state;
    json_t *o = json_pack("{s:s, s:[s], s:b}", "name", "x", "types", "a", "enabled", 1);
    assert_int_equal(patch(o, "replace", "/id", "x"), -1);
    assert_int_equal(patch(o, "replace", "name", "x"), -1);
    assert_int_equal(patch(o, "replace", "/", "x"), -1);
    assert_int_equal(patch(o, "move", "/name", "x"), -1);
    assert_int_equal(patch(o, "replace", "/name", NULL), -1);
    assert_int_equal(patch(o, "replace", "/name/a/b", "x"), -1);
    assert_int_equal(patch(o, "replace", "/throttle/a/b/c/d", "x"), -1);
    assert_int_equal(patch(o, "replace", "/throttle/rateLimit", "many"), -1);
    assert_int_equal(patch(o, "replace", "/throttle/rateLimit", "1e300"), -1);
    assert_int_equal(patch(o, "replace", "/enabled", "yes"), -1);
    assert_int_equal(patch(o, "remove", "/types/b", NULL), -1);
    json_decref(o);
}

static void patches_keep_types(void **state)
{
    (void)state;
    json_t *o = json_pack("{s:s, s:[s], s:b}", "name", "x", "types", "a", "enabled", 1);
    assert_int_equal(patch(o, "replace", "/name", "7"), 0);
    assert_int_equal(patch(o, "replace", "/throttle/rateLimit", "0.5"), 0);
    assert_int_equal(patch(o, "replace", "/enabled", "false"), 0);
    assert_int_equal(patch(o, "add", "/types/image~1png", NULL), 0);
    assert_int_equal(patch(o, "remove", "/types/a", NULL), 0);
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"enabled\":false,\"name\":\"7\",\"throttle\":{\"rateLimit\":0.5},"
                              "\"types\":[\"image/png\"]}");
    free(text);
    json_decref(o);
}

/* Throttling */

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
    (void)state;
    const uint64_t s = 1000000000;
    struct throttle *t = throttle_create();
    for (int i = 0; i < 3; i++)
        assert_true(throttle_take(t, "a", 2, 3, s));
    assert_false(throttle_take(t, "a", 2, 3, s));
    assert_true(throttle_take(t, "b", 2, 3, s));
    assert_false(throttle_take(t, "a", 2, 3, s + s / 4));
    assert_true(throttle_take(t, "a", 2, 3, s + s / 2));
    assert_false(throttle_take(t, "a", 2, 3, s + s / 2));
    for (int i = 0; i < 3; i++)
        assert_true(throttle_take(t, "a", 2, 3, 100 * s));
    assert_false(throttle_take(t, "a", 2, 3, 100 * s));
    assert_false(throttle_take(t, "a", 2, 3, 50 * s)); /* a clock that goes back gives nothing */
    for (int i = 0; i < 2 * THROTTLE_MAX_BUCKETS; i++) {
        char key[32];
        snprintf(key, sizeof key, "k%d", i);
        assert_true(throttle_take(t, key, 1, 1, 200 * s + (uint64_t)i));
    }
    throttle_destroy(t);
}

static void a_response_of_version_2_may_be_bare(void **state)
{
    (void)state;
    struct proxy_response response;
    struct err err = {0};
    static const struct {
        const char *text, *body;
    } bare[] = {{"\"hello\"", "hello"}, {"{\"a\":1}", "{\"a\":1}"}, {"[1]", "[1]"}, {"7", "7"}};
    for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
        const char *text = bare[i].text;
        assert_int_equal(proxy_response_parse_v2(text, strlen(text), &response, &err), 0);
        assert_int_equal(response.status, 200);
        assert_string_equal(response.body, bare[i].body);
        assert_string_equal(response.content_type, "application/json");
        proxy_response_finish(&response);
    }
    static const char *const wrong[] = {"", "x", "{\"statusCode\":99}",
                                        "{\"statusCode\":200,\"cookies\":[1,[]]}",
                                        "{\"statusCode\":200,\"body\":{}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(proxy_response_parse_v2(wrong[i], strlen(wrong[i]), &response, &err), -1);
}

static void route_keys_have_a_form(void **state)
{
    (void)state;
    static const char *const right[] = {"$default", "GET /", "ANY /{proxy+}", "POST /a/{b}/c"};
    static const char *const wrong[] = {"",        "GET",       "/a",          "get /a",  "ANY a",
                                        "GET /{a", "GET /a//b", "GET /{a+}/b", "$connect"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_true(http_route_key_is_valid(right[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(http_route_key_is_valid(wrong[i]));
}

static void a_path_that_only_leads_on_is_no_route(void **state)
{
    (void)state;
    struct arena arena;
    struct path_match match;
    json_t *keys = json_pack("{s:{s:s}, s:{s:s}}", "r1", "routeKey", "GET /a/b/c", "r2", "routeKey",
                             "ANY /{proxy+}");
    struct http_routes *routes = http_routes_create(keys);
    arena_init(&arena, 1 << 20);
    assert_ptr_equal(http_routes_find(routes, "GET", "/a/b/c", &match, &arena),
                     json_object_get(keys, "r1"));
    assert_ptr_equal(http_routes_find(routes, "GET", "/a/b", &match, &arena),
                     json_object_get(keys, "r2"));
    assert_string_equal(match.parameters[0].value, "a/b");
    assert_ptr_equal(http_routes_find(routes, "BREW", "/a/b/c", &match, &arena),
                     json_object_get(keys, "r2"));
    assert_null(http_routes_find(routes, "GET", "/", &match, &arena));
    arena_finish(&arena);
    http_routes_destroy(routes);
    json_decref(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_responses_are_refused),
        cmocka_unit_test(a_response_says_status_headers_and_body),
        cmocka_unit_test(fields_left_out_have_defaults),
        cmocka_unit_test(a_base64_body_is_decoded),
        cmocka_unit_test(the_most_literal_resource_is_found),
        cmocka_unit_test(path_parts_are_names_or_parameters),
        cmocka_unit_test(wrong_encodings_are_refused),
        cmocka_unit_test(an_event_has_all_of_version_1),
        cmocka_unit_test(binary_bodies_go_as_base64),
        cmocka_unit_test(wrong_patches_are_refused),
        cmocka_unit_test(patches_keep_types),
        cmocka_unit_test(a_response_of_version_2_may_be_bare),
        cmocka_unit_test(route_keys_have_a_form),
        cmocka_unit_test(a_path_that_only_leads_on_is_no_route),
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
