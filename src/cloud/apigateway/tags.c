#include "cloud/apigateway/service.h"
#include "cloud/query.h"

#include <string.h>

/* Tags of REST APIs, their stages, keys and usage plans, by
 * "arn:aws:apigateway:REGION::/restapis/ID",
 * "../restapis/ID/stages/NAME", "../apikeys/ID", "../usageplans/ID". */

enum { MAX_TAGS = 50 };

static json_t *not_found(struct work *work, const char *arn)
{
    work_fail(work, "NotFoundException", "Invalid ARN specified: %.256s", arn);
    return NULL;
}

/* What is behind "/restapis/": the API's document or one of its stages. */
static json_t *open_api(struct work *work, char *path)
{
    static const char mark[] = "/stages/";
    char *end = strchr(path, '/');
    const char *stage =
        end && strncmp(end, mark, sizeof mark - 1) == 0 ? end + sizeof mark - 1 : NULL;
    if (end && !stage)
        return not_found(work, path);
    if (end)
        *end = 0;
    work->call->parameters[0] = path;
    if (work_open_api(work) < 0)
        return NULL;
    if (!stage)
        return json_object_get(work->api, "api");
    json_t *found = json_object_get(json_object_get(work->api, "stages"), stage);
    if (!found)
        work_fail(work, "NotFoundException", "Invalid stage identifier specified");
    return found;
}

static json_t *open_plan(struct work *work, const char *kind, const char *id)
{
    if (work_open_plans(work) < 0)
        return NULL;
    json_t *found = json_object_get(json_object_get(work->plans, kind), id);
    return found ? found : not_found(work, id);
}

/* What the ARN names, to change in place. NULL: the error is answered. */
static json_t *open_tagged(struct work *work)
{
    static const char api[] = "/restapis/", key[] = "/apikeys/", plan[] = "/usageplans/";
    char *arn = arena_strdup(&work->x->arena, work->call->parameters[0]);
    char *path = arn ? strstr(arn, "::/") : NULL;
    if (!path || strncmp(arn, "arn:aws:apigateway:", 19) != 0)
        return not_found(work, work->call->parameters[0]);
    path += 2;
    if (strncmp(path, api, sizeof api - 1) == 0)
        return open_api(work, path + sizeof api - 1);
    if (strncmp(path, key, sizeof key - 1) == 0)
        return open_plan(work, "keys", path + sizeof key - 1);
    if (strncmp(path, plan, sizeof plan - 1) == 0)
        return open_plan(work, "plans", path + sizeof plan - 1);
    return not_found(work, work->call->parameters[0]);
}

static void changed(struct work *work)
{
    work->changes_api = work->api != NULL;
    work->changes_plans = work->plans != NULL;
    work->status = 204;
}

int work_take_tags(struct work *work, json_t *holder)
{
    const char *name;
    json_t *value, *given = json_object_get(work->request, "tags");
    json_t *tags = json_object_get(holder, "tags");
    int are_texts = json_is_object(given);
    if (!given || json_is_null(given))
        return 0;
    json_object_foreach(given, name, value)
    {
        are_texts &= json_is_string(value);
    }
    if (!tags) {
        tags = json_object();
        json_object_set_new(holder, "tags", tags);
    }
    if (are_texts && json_object_update(tags, given) == 0 && json_object_size(tags) <= MAX_TAGS)
        return 0;
    work_fail(work, "BadRequestException", "tags is an object of at most %d texts", MAX_TAGS);
    return -1;
}

void apigateway_tag(void *self, struct rest_call *call)
{
    struct work *work = self;
    json_t *holder = open_tagged(work);
    (void)call;
    if (holder && work_take_tags(work, holder) == 0)
        changed(work);
}

void apigateway_untag(void *self, struct rest_call *call)
{
    struct work *work = self;
    struct query_pair pair;
    json_t *holder = open_tagged(work);
    (void)call;
    if (!holder)
        return;
    for (const char *at = work->x->query; query_next(&at, &pair);) {
        const char *name = exchange_decode(work->x, pair.name, pair.name_size, 1);
        const char *key = exchange_decode(work->x, pair.value, pair.value_size, 1);
        if (name && key && strcmp(name, "tagKeys") == 0)
            json_object_del(json_object_get(holder, "tags"), key);
    }
    changed(work);
}

void apigateway_get_tags(void *self, struct rest_call *call)
{
    struct work *work = self;
    const json_t *holder = open_tagged(work);
    (void)call;
    if (!holder)
        return;
    json_t *tags = json_object_get(holder, "tags");
    work->reply = json_pack("{s:o}", "tags", tags ? json_incref(tags) : json_object());
}
