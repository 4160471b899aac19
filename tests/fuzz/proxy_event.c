#include "aws/uri.h"
#include "cloud/apigateway/event.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef char *creator(const struct event_request *request, size_t *size);

static void check(creator *create, const struct event_request *request)
{
    size_t size;
    char *event = create(request, &size);
    json_t *value = event ? json_loadb(event, size, 0, NULL) : NULL;
    if (!value)
        abort();
    json_decref(value);
    free(event);
}

/* Three lines: a path, a query, a body. Whatever they hold, the event is JSON. */
static void make_event(const char *path, const char *query, const char *body, size_t body_bytes,
                       struct arena *arena)
{
    enum { MAX_QUERY = 16 };
    struct event_pair pairs[MAX_QUERY];
    struct path_match match;
    json_t *resources =
        json_pack("{s:{s:s,s:s}, s:{s:s,s:s,s:s,s:s}, s:{s:s,s:s,s:s,s:s}}", "r", "id", "r", "path",
                  "/", "a", "id", "a", "parentId", "r", "pathPart", "{a}", "path", "/{a}", "p",
                  "id", "p", "parentId", "a", "pathPart", "{p+}", "path", "/{a}/{p+}");
    struct path_tree *tree = path_tree_create(resources);
    char *decoded = uri_decode(arena, path, strlen(path), 0, NULL);
    int count = event_split_query(query, pairs, MAX_QUERY, arena);
    const struct http_header header = {"Content-Type", query};
    if (decoded && count >= 0 && path_tree_find(tree, decoded, &match, arena)) {
        struct event_request request = {.method = "GET",
                                        .path = decoded,
                                        .headers = &header,
                                        .header_count = 1,
                                        .query = pairs,
                                        .query_count = (size_t)count,
                                        .body = body,
                                        .body_bytes = body_bytes,
                                        .match = &match,
                                        .api_id = "a",
                                        .stage = "s",
                                        .source_ip = "127.0.0.1"};
        check(event_create, &request);
        request.route_key = "$default";
        request.raw_query = query;
        request.domain_name = request.domain_prefix = "a";
        check(event_create_v2, &request);
    }
    path_tree_destroy(tree);
    json_decref(resources);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init(&arena, 1 << 24);
    char *text = arena_copy(&arena, data, size);
    char *query = text ? strchr(text, '\n') : NULL;
    char *body = query ? strchr(query + 1, '\n') : NULL;
    if (body) {
        *query++ = 0;
        *body++ = 0;
        make_event(text, query, body, size - (size_t)(body - text), &arena);
    }
    arena_finish(&arena);
    return 0;
}
